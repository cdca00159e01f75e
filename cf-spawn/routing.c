/*
 * routing.c - the routing rules and routes of the kernel path, by rtnetlink.
 *
 *	100: fwmark 2                           lookup 200   default dev tun0
 *	104: ipproto tcp dport 53               lookup main
 *	105: lookup main suppress_prefixlength 0
 *	110: ipproto tcp                        lookup 100   local default dev lo src CHILD
 *
 * The kernel's own rule 0 (table local) comes first, so 127.0.0.1, ::1 and the tree's own
 * addresses stay its own.  104: names over TCP are answered by cf-netstack itself.  105: what
 * someone with rights in here (never the tree) connects to this namespace stays reachable.
 * The source must be named, or a connection would come from the address that it goes to.
 *
 * rp_filter is 2 (loose), not 0: the kernel takes the greater of all's and the device's,
 * and only 2 outweighs a host's 1.  A packet of the TUN has a source that TCP's route for
 * it says is local; accept_local lets it in.
 *
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include "batch.h"
#include "childnet.h"
#include "inside.h"

#define TABLE_LO	100
#define TABLE_TUN	200
#define LO_INDEX	1	/* in every network namespace */

static const struct routing_rule {
	uint32_t	 priority, table;
	uint32_t	 mark;
	uint8_t		 proto;
	uint16_t	 dport;
	bool		 no_default;	/* the table's default route does not count */
} rules[] = {
	{ .priority = 100, .table = TABLE_TUN, .mark = KPATH_MARK },
	{ .priority = 104, .table = RT_TABLE_MAIN, .proto = IPPROTO_TCP, .dport = INSIDE_DNS_PORT },
	{ .priority = 105, .table = RT_TABLE_MAIN, .no_default = true },
	{ .priority = 110, .table = TABLE_LO, .proto = IPPROTO_TCP },
};

static void
rule(struct batch *b, const struct kpath_side *side, const struct routing_rule *r, bool add)
{
	struct nlmsghdr *nlh = batch_request(b, "make a routing rule", !add,
	    add ? RTM_NEWRULE : RTM_DELRULE,
	    NLM_F_ACK | (add ? NLM_F_CREATE | NLM_F_EXCL : 0));
	struct fib_rule_hdr *frh = mnl_nlmsg_put_extra_header(nlh, sizeof(*frh));
	const struct fib_rule_port_range port = { r->dport, r->dport };

	frh->family = (uint8_t)side->family;
	frh->action = FR_ACT_TO_TBL;
	frh->table = (uint8_t)r->table;
	mnl_attr_put_u32(nlh, FRA_PRIORITY, r->priority);
	mnl_attr_put_u32(nlh, FRA_TABLE, r->table);
	if (r->mark != 0)
		mnl_attr_put_u32(nlh, FRA_FWMARK, r->mark);
	if (r->proto != 0)
		mnl_attr_put_u8(nlh, FRA_IP_PROTO, r->proto);
	if (r->dport != 0)
		mnl_attr_put(nlh, FRA_DPORT_RANGE, sizeof(port), &port);
	if (r->no_default)
		mnl_attr_put_u32(nlh, FRA_SUPPRESS_PREFIXLEN, 0);
	batch_request_end(b, nlh);
}

static struct rtmsg *
route(struct batch *b, struct nlmsghdr **nlh, const struct kpath_side *side, uint8_t table,
    bool add)
{
	struct rtmsg *rtm;

	*nlh = batch_request(b, "make a route", !add, add ? RTM_NEWROUTE : RTM_DELROUTE,
	    NLM_F_ACK | (add ? NLM_F_CREATE | NLM_F_EXCL : 0));
	rtm = mnl_nlmsg_put_extra_header(*nlh, sizeof(*rtm));
	rtm->rtm_family = (uint8_t)side->family;
	rtm->rtm_table = table;
	rtm->rtm_protocol = RTPROT_BOOT;
	return rtm;
}

static void
route_tun(struct batch *b, const struct kpath_side *side, unsigned tun, bool add)
{
	struct nlmsghdr *nlh;
	struct rtmsg *rtm = route(b, &nlh, side, TABLE_TUN, add);

	rtm->rtm_type = RTN_UNICAST;
	rtm->rtm_scope = side->family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	mnl_attr_put_u32(nlh, RTA_OIF, tun);
	batch_request_end(b, nlh);
}

static void
route_lo(struct batch *b, const struct kpath_side *side, bool add)
{
	struct nlmsghdr *nlh;
	struct rtmsg *rtm = route(b, &nlh, side, TABLE_LO, add);
	uint8_t ip[16];

	inet_pton(side->family, side->child, ip);
	rtm->rtm_type = RTN_LOCAL;
	rtm->rtm_scope = side->family == AF_INET ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
	mnl_attr_put_u32(nlh, RTA_OIF, LO_INDEX);
	mnl_attr_put(nlh, RTA_PREFSRC, side->family == AF_INET ? 4 : 16, ip);
	batch_request_end(b, nlh);
}

static void
source_checks(struct batch *b, unsigned tun)
{
	struct nlmsghdr *nlh = batch_request(b, "set accept_local and rp_filter of tun0", false,
	    RTM_NEWLINK, NLM_F_ACK);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	struct nlattr *spec, *inet, *conf;

	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_index = (int)tun;
	spec = mnl_attr_nest_start(nlh, IFLA_AF_SPEC);
	inet = mnl_attr_nest_start(nlh, AF_INET);
	conf = mnl_attr_nest_start(nlh, IFLA_INET_CONF);
	mnl_attr_put_u32(nlh, IPV4_DEVCONF_ACCEPT_LOCAL, 1);
	mnl_attr_put_u32(nlh, IPV4_DEVCONF_RP_FILTER, 2);
	mnl_attr_nest_end(nlh, conf);
	mnl_attr_nest_end(nlh, inet);
	mnl_attr_nest_end(nlh, spec);
	batch_request_end(b, nlh);
}

static int
routing(const struct kpath_side *side, bool add, const char **what)
{
	struct batch b = { 0 };
	unsigned tun = if_nametoindex("tun0");

	if (side->family == AF_INET && add)
		source_checks(&b, tun);
	route_tun(&b, side, tun, add);
	route_lo(&b, side, add);
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		rule(&b, side, &rules[i], add);
	return batch_run(&b, NETLINK_ROUTE, what);
}

int
routing_add(const struct kpath_side *side, const char **what)
{
	return routing(side, true, what);
}

/* What is not there is no error.  accept_local and rp_filter=2 stay: they harm nothing. */
void
routing_remove(const struct kpath_side *side)
{
	const char *what;

	(void)routing(side, false, &what);
}
