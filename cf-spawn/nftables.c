/*
 * nftables.c - the rules that part SYNs from the rest of TCP, as one transaction.
 *
 *	table ip childflow {
 *		chain output {
 *			type route hook output priority mangle
 *			tcp flags & (syn | ack | rst) == syn  jump syn
 *		}
 *		chain syn {
 *			oifname "lo"    meta mark set 2
 *			oifname "tun0"  TCP reserved bit 0x0800 set 1
 *		}
 *		chain prerouting {
 *			type filter hook prerouting priority mangle
 *			tcp flags & (syn | ack | rst) == syn  iifname "tun0"
 *			    tproxy to GATEWAY:1  accept
 *		}
 *	}
 *
 * and the same for ip6.  All TCP is routed to lo (routing.c).  The mark sends a SYN to the
 * TUN instead; everything else of the connection stays on lo and meets one rule in each
 * chain that does not match.  A SYN that is bound for tun0 without the mark comes from a
 * socket that is bound to the device, from a raw socket or goes to port 53: its answers
 * must come out of the TUN, and the reserved bit (RFC 9293 3.1; cf-netstack looks at it and
 * never passes it on) says so.  The kernel corrects the checksum where the packet has one.
 *
 * nf_tables in the kernel is on the other side.  An interface is matched by name so that
 * the rules are constants.  Each family has a table of its own: one can be missing.
 *
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <limits.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

#include "batch.h"
#include "childnet.h"

#define TABLE		"childflow"
#define PRIORITY_MANGLE	(-150)
#define TCP_BITS_AT	12	/* data offset, reserved bits, flags (RFC 9293 3.1) */
#define TCP_FLAGS_AT	13
#define TCP_CHECKSUM_AT	16

/* One expression; register 1 is what they work on, register 2 only tproxy needs. */
struct expr {
	enum { END, META, META_SET, PAYLOAD, PAYLOAD_SET, BITWISE, EQUAL, NUMBER, GATEWAY,
	    PORT, TPROXY, ACCEPT, JUMP } op;
	uint32_t	 at;		/* which meta key; where in the TCP header */
	uint32_t	 len;
	uint8_t		 data[16];	/* compared with, put in, xor */
	uint8_t		 mask[2];
	uint32_t	 number;
};

#define IFNAME_LEN	16
#define IS_SYN									\
	{ .op = META, .at = NFT_META_L4PROTO },					\
	{ .op = EQUAL, .len = 1, .data = { IPPROTO_TCP } },			\
	{ .op = PAYLOAD, .at = TCP_FLAGS_AT, .len = 1 },			\
	{ .op = BITWISE, .len = 1, .mask = { 0x16 } },	/* SYN, RST, ACK */	\
	{ .op = EQUAL, .len = 1, .data = { 0x02 } }	/* SYN */

static const struct expr output_syn[] = {
	IS_SYN,
	{ .op = JUMP },
	{ .op = END }
};
static const struct expr syn_to_lo[] = {
	{ .op = META, .at = NFT_META_OIFNAME },
	{ .op = EQUAL, .len = IFNAME_LEN, .data = "lo" },
	{ .op = NUMBER, .number = KPATH_MARK },
	{ .op = META_SET, .at = NFT_META_MARK },
	{ .op = END }
};
static const struct expr syn_to_tun[] = {
	{ .op = META, .at = NFT_META_OIFNAME },
	{ .op = EQUAL, .len = IFNAME_LEN, .data = "tun0" },
	{ .op = PAYLOAD, .at = TCP_BITS_AT, .len = 2 },
	{ .op = BITWISE, .len = 2, .mask = { 0xf7, 0xff }, .data = { 0x08, 0x00 } },
	{ .op = PAYLOAD_SET, .at = TCP_BITS_AT, .len = 2 },
	{ .op = END }
};
static const struct expr syn_from_tun[] = {
	IS_SYN,
	{ .op = META, .at = NFT_META_IIFNAME },
	{ .op = EQUAL, .len = IFNAME_LEN, .data = "tun0" },
	{ .op = GATEWAY },
	{ .op = PORT },
	{ .op = TPROXY },
	{ .op = ACCEPT },
	{ .op = END }
};

static const struct {
	const char	*name;
	const char	*type;		/* NULL: only jumped to */
	unsigned	 hook;
} chains[] = {
	{ "output",	"route",	NF_INET_LOCAL_OUT },
	{ "syn",	NULL,		0 },
	{ "prerouting",	"filter",	NF_INET_PRE_ROUTING },
};
static const struct {
	const char	*chain;
	const struct expr *exprs;
} rules[] = {
	{ "output",	output_syn },
	{ "syn",	syn_to_lo },
	{ "syn",	syn_to_tun },
	{ "prerouting",	syn_from_tun },
};

/* ---- one expression as attributes ---- */

static void
put_u32(struct nlmsghdr *nlh, uint16_t type, uint32_t n)
{
	mnl_attr_put_u32(nlh, type, htonl(n));
}

static void
put_value(struct nlmsghdr *nlh, uint16_t type, const void *data, size_t len)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);

	mnl_attr_put(nlh, NFTA_DATA_VALUE, len, data);
	mnl_attr_nest_end(nlh, nest);
}

static void
put_meta(struct nlmsghdr *nlh, const struct expr *e, uint16_t reg)
{
	put_u32(nlh, NFTA_META_KEY, e->at);
	put_u32(nlh, reg, NFT_REG_1);
}

static void
put_payload(struct nlmsghdr *nlh, const struct expr *e, uint16_t reg)
{
	put_u32(nlh, reg, NFT_REG_1);
	put_u32(nlh, NFTA_PAYLOAD_BASE, NFT_PAYLOAD_TRANSPORT_HEADER);
	put_u32(nlh, NFTA_PAYLOAD_OFFSET, e->at);
	put_u32(nlh, NFTA_PAYLOAD_LEN, e->len);
	if (reg == NFTA_PAYLOAD_DREG)
		return;
	put_u32(nlh, NFTA_PAYLOAD_CSUM_TYPE, NFT_PAYLOAD_CSUM_INET);
	put_u32(nlh, NFTA_PAYLOAD_CSUM_OFFSET, TCP_CHECKSUM_AT);
}

static void
put_bitwise(struct nlmsghdr *nlh, const struct expr *e)
{
	put_u32(nlh, NFTA_BITWISE_SREG, NFT_REG_1);
	put_u32(nlh, NFTA_BITWISE_DREG, NFT_REG_1);
	put_u32(nlh, NFTA_BITWISE_LEN, e->len);
	put_value(nlh, NFTA_BITWISE_MASK, e->mask, e->len);
	put_value(nlh, NFTA_BITWISE_XOR, e->data, e->len);
}

static void
put_equal(struct nlmsghdr *nlh, const struct expr *e)
{
	put_u32(nlh, NFTA_CMP_SREG, NFT_REG_1);
	put_u32(nlh, NFTA_CMP_OP, NFT_CMP_EQ);
	put_value(nlh, NFTA_CMP_DATA, e->data, e->len);
}

static void
put_immediate(struct nlmsghdr *nlh, uint32_t reg, const void *data, size_t len)
{
	put_u32(nlh, NFTA_IMMEDIATE_DREG, reg);
	put_value(nlh, NFTA_IMMEDIATE_DATA, data, len);
}

static void
put_verdict(struct nlmsghdr *nlh, int code, const char *chain)
{
	struct nlattr *data, *verdict;

	put_u32(nlh, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = mnl_attr_nest_start(nlh, NFTA_IMMEDIATE_DATA);
	verdict = mnl_attr_nest_start(nlh, NFTA_DATA_VERDICT);
	put_u32(nlh, NFTA_VERDICT_CODE, (uint32_t)code);
	if (chain != NULL)
		mnl_attr_put_strz(nlh, NFTA_VERDICT_CHAIN, chain);
	mnl_attr_nest_end(nlh, verdict);
	mnl_attr_nest_end(nlh, data);
}

static void
put_gateway(struct nlmsghdr *nlh, const struct kpath_side *side)
{
	uint8_t ip[16];

	inet_pton(side->family, side->gateway, ip);
	put_immediate(nlh, NFT_REG_1, ip, side->family == AF_INET ? 4 : 16);
}

static void
put_tproxy(struct nlmsghdr *nlh, const struct kpath_side *side)
{
	put_u32(nlh, NFTA_TPROXY_FAMILY, (uint32_t)side->family);
	put_u32(nlh, NFTA_TPROXY_REG_ADDR, NFT_REG_1);
	put_u32(nlh, NFTA_TPROXY_REG_PORT, NFT_REG_2);
}

static void
put_data(struct nlmsghdr *nlh, const struct expr *e, const struct kpath_side *side)
{
	const uint16_t port = htons(KPATH_PORT);

	switch (e->op) {
	case META:		put_meta(nlh, e, NFTA_META_DREG); break;
	case META_SET:		put_meta(nlh, e, NFTA_META_SREG); break;
	case PAYLOAD:		put_payload(nlh, e, NFTA_PAYLOAD_DREG); break;
	case PAYLOAD_SET:	put_payload(nlh, e, NFTA_PAYLOAD_SREG); break;
	case BITWISE:		put_bitwise(nlh, e); break;
	case EQUAL:		put_equal(nlh, e); break;
	case NUMBER:		put_immediate(nlh, NFT_REG_1, &e->number, sizeof(e->number)); break;
	case GATEWAY:		put_gateway(nlh, side); break;
	case PORT:		put_immediate(nlh, NFT_REG_2, &port, sizeof(port)); break;
	case TPROXY:		put_tproxy(nlh, side); break;
	case ACCEPT:		put_verdict(nlh, NF_ACCEPT, NULL); break;
	case JUMP:		put_verdict(nlh, NFT_JUMP, "syn"); break;
	case END:		break;
	}
}

static void
put_expr(struct nlmsghdr *nlh, const struct expr *e, const struct kpath_side *side)
{
	static const char *const names[] = {
		[META] = "meta", [META_SET] = "meta", [PAYLOAD] = "payload",
		[PAYLOAD_SET] = "payload", [BITWISE] = "bitwise", [EQUAL] = "cmp",
		[NUMBER] = "immediate", [GATEWAY] = "immediate", [PORT] = "immediate",
		[TPROXY] = "tproxy", [ACCEPT] = "immediate", [JUMP] = "immediate",
	};
	struct nlattr *element = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM), *data;

	mnl_attr_put_strz(nlh, NFTA_EXPR_NAME, names[e->op]);
	data = mnl_attr_nest_start(nlh, NFTA_EXPR_DATA);
	put_data(nlh, e, side);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, element);
}

/* ---- requests ---- */

static struct nlmsghdr *
request(struct batch *b, const char *what, uint16_t type, uint16_t flags, int family)
{
	struct nlmsghdr *nlh = batch_request(b, what, false,
	    (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags);
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));

	nfg->nfgen_family = (uint8_t)family;
	nfg->version = NFNETLINK_V0;
	return nlh;
}

/* The transaction's brackets; they are not acknowledged, but may be refused. */
static void
bracket(struct batch *b, uint16_t type)
{
	struct nlmsghdr *nlh = batch_request(b, "use nf_tables", false, type, 0);
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));

	nfg->version = NFNETLINK_V0;
	nfg->res_id = htons(NFNL_SUBSYS_NFTABLES);
	batch_request_end(b, nlh);
}

static void
table(struct batch *b, uint16_t type, uint16_t flags, int family)
{
	struct nlmsghdr *nlh = request(b, "make an nf_tables table", type, NLM_F_ACK | flags,
	    family);

	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, TABLE);
	batch_request_end(b, nlh);
}

static void
chain(struct batch *b, int family, const char *name, const char *type, unsigned hook)
{
	struct nlmsghdr *nlh = request(b, type != NULL && strcmp(type, "route") == 0 ?
	    "make an nf_tables chain of type route" : "make an nf_tables chain",
	    NFT_MSG_NEWCHAIN, NLM_F_ACK | NLM_F_CREATE, family);
	struct nlattr *nest;

	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, TABLE);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, name);
	if (type != NULL) {
		nest = mnl_attr_nest_start(nlh, NFTA_CHAIN_HOOK);
		put_u32(nlh, NFTA_HOOK_HOOKNUM, hook);
		put_u32(nlh, NFTA_HOOK_PRIORITY, (uint32_t)PRIORITY_MANGLE);
		mnl_attr_nest_end(nlh, nest);
		mnl_attr_put_strz(nlh, NFTA_CHAIN_TYPE, type);
	}
	batch_request_end(b, nlh);
}

static void
rule(struct batch *b, const struct kpath_side *side, const char *name, const struct expr *e)
{
	struct nlmsghdr *nlh = request(b, e == syn_from_tun ?
	    "make the nf_tables rule with tproxy" : "make an nf_tables rule", NFT_MSG_NEWRULE, NLM_F_ACK | NLM_F_CREATE | NLM_F_APPEND,
	    side->family);
	struct nlattr *list;

	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, TABLE);
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, name);
	list = mnl_attr_nest_start(nlh, NFTA_RULE_EXPRESSIONS);
	for (; e->op != END; e++)
		put_expr(nlh, e, side);
	mnl_attr_nest_end(nlh, list);
	batch_request_end(b, nlh);
}

int
nftables_add(const struct kpath_side *side, const char **what)
{
	struct batch b = { 0 };

	bracket(&b, NFNL_MSG_BATCH_BEGIN);
	table(&b, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, side->family);
	for (size_t i = 0; i < sizeof(chains) / sizeof(chains[0]); i++)
		chain(&b, side->family, chains[i].name, chains[i].type, chains[i].hook);
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		rule(&b, side, rules[i].chain, rules[i].exprs);
	bracket(&b, NFNL_MSG_BATCH_END);
	return batch_run(&b, NETLINK_NETFILTER, what);
}

/* Best effort: where there is no table, this fails and says nothing. */
void
nftables_remove(const struct kpath_side *side)
{
	struct batch b = { 0 };
	const char *what;

	bracket(&b, NFNL_MSG_BATCH_BEGIN);
	table(&b, NFT_MSG_DELTABLE, 0, side->family);
	bracket(&b, NFNL_MSG_BATCH_END);
	(void)batch_run(&b, NETLINK_NETFILTER, &what);
}
