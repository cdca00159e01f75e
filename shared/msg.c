/*
 * msg.c - the message table a second time, as data, and its bodies as bytes.
 *
 * Pure: bytes and structs, no descriptors, no log.  The lengths in MSG_TABLE are the
 * sums of what put() writes; a unit test holds every row against its pair.
 *
 * SPDX-License-Identifier: MIT
 */
#include "msg.h"

#include <netinet/in.h>

#define MSG_ROW(name, no, from, to, body, tail, fds)	\
	{ #name, (no), (fds), (from), (to), (body), (body) + (tail) },
const struct msg_rule msg_rules[] = { MSG_TABLE(MSG_ROW) };
#undef MSG_ROW
const size_t msg_nrules = sizeof(msg_rules) / sizeof(msg_rules[0]);

static const struct {
	enum role	 role;
	const char	*name;
} role_names[] = {
	{ R_SPAWN,	"cf-spawn" },
	{ R_STACK,	"cf-netstack" },
	{ R_DNS,	"cf-dns" },
	{ R_PROXY,	"cf-proxy" },
	{ R_DIAL,	"cf-proxy dialler" },
	{ R_CAPTURE,	"cf-capture" },
	{ R_WATCH,	"cf-spawn's watcher" },
	{ R_UPSTREAM,	"cf-upstream" },
};

const char *
role_name(enum role role)
{
	for (size_t i = 0; i < sizeof(role_names) / sizeof(role_names[0]); i++)
		if (role_names[i].role == role)
			return role_names[i].name;
	return "an unknown role";
}

const struct msg_rule *
msg_rule(uint32_t type)
{
	for (size_t i = 0; i < msg_nrules; i++)
		if (msg_rules[i].type == type)
			return &msg_rules[i];
	return NULL;
}

const char *
msg_check(uint32_t type, uint32_t len, uint32_t nfds, enum role from, enum role to)
{
	const struct msg_rule *rule = msg_rule(type);

	if (rule == NULL)
		return "unknown message type";
	if ((rule->from & (uint32_t)from) == 0 || (rule->to & (uint32_t)to) == 0)
		return "wrong direction";
	if (len < rule->min || len > rule->max)
		return "bad length";
	if (nfds > rule->fds)
		return "unexpected descriptor";
	return NULL;
}

/* An address on the wire: family, 0, port, 16 bytes. */
void
msg_addr_put(struct wr *w, const struct addr *a)
{
	wr_u8(w, a->family);
	wr_u8(w, 0);
	wr_le16(w, a->port);
	wr_bytes(w, a->ip, sizeof(a->ip));
}

bool
msg_addr_get(struct rd *r, struct addr *a)
{
	a->family = rd_u8(r);
	(void)rd_u8(r);
	a->port = rd_le16(r);
	rd_bytes(r, a->ip, sizeof(a->ip));
	if (a->family == 4)		/* so that equal addresses are equal bytes */
		for (size_t i = 4; i < sizeof(a->ip); i++)
			a->ip[i] = 0;
	return a->family == 0 || a->family == 4 || a->family == 6;
}

static bool
proto_known(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP ||
	    proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
}

void
msg_hello_put(struct wr *w, const struct msg_hello *m)
{
	wr_le16(w, m->version);
	wr_le16(w, (uint16_t)m->role);
	wr_le32(w, m->caps);
}

bool
msg_hello_get(struct rd *r, struct msg_hello *m)
{
	m->version = rd_le16(r);
	m->role = (enum role)rd_le16(r);
	m->caps = rd_le32(r);
	return !r->bad;
}

void
msg_query_put(struct wr *w, const struct msg_query *m)
{
	wr_u8(w, m->transport);
	wr_bytes(w, "\0\0\0", 3);
	msg_addr_put(w, &m->src);
	msg_addr_put(w, &m->server);
}

bool
msg_query_get(struct rd *r, struct msg_query *m)
{
	bool src, server;

	m->transport = rd_u8(r);
	(void)rd_take(r, 3);
	src = msg_addr_get(r, &m->src);
	server = msg_addr_get(r, &m->server);
	return !r->bad && src && server && m->server.family != 0 &&
	    (m->transport == IPPROTO_UDP || m->transport == IPPROTO_TCP);
}

void
msg_proceed_put(struct wr *w, const struct msg_proceed *m)
{
	wr_le32(w, m->flags);
}

bool
msg_proceed_get(struct rd *r, struct msg_proceed *m)
{
	m->flags = rd_le32(r);
	return !r->bad && (m->flags & ~PROCEED_ON) == 0;
}

void
msg_open_put(struct wr *w, const struct msg_open *m)
{
	wr_u8(w, m->proto);
	wr_u8(w, m->hop_limit);
	wr_u8(w, m->tclass);
	wr_u8(w, m->flags);
	msg_addr_put(w, &m->src);
	msg_addr_put(w, &m->dst);
}

bool
msg_open_get(struct rd *r, struct msg_open *m)
{
	bool src, dst;

	m->proto = rd_u8(r);
	m->hop_limit = rd_u8(r);
	m->tclass = rd_u8(r);
	m->flags = rd_u8(r);
	src = msg_addr_get(r, &m->src);
	dst = msg_addr_get(r, &m->dst);
	return !r->bad && (m->flags & ~(OPEN_DF | OPEN_RELAY | OPEN_DIRECT)) == 0 && src && dst &&
	    proto_known(m->proto) && m->dst.family != 0 && m->src.family == m->dst.family;
}

void
msg_opened_put(struct wr *w, const struct msg_opened *m)
{
	msg_addr_put(w, &m->local);
	wr_le32(w, m->flags);
}

bool
msg_opened_get(struct rd *r, struct msg_opened *m)
{
	bool local = msg_addr_get(r, &m->local);

	m->flags = rd_le32(r);
	return local && !r->bad && (m->flags & ~OPENED_FIRST) == 0;
}

void
msg_first_put(struct wr *w, const struct msg_first *m)
{
	wr_le32(w, m->flags);
}

bool
msg_first_get(struct rd *r, struct msg_first *m)
{
	m->flags = rd_le32(r);
	return !r->bad && (m->flags & ~FIRST_END) == 0;
}

void
msg_go_put(struct wr *w, const struct msg_go *m)
{
	wr_le32(w, m->flags);
}

bool
msg_go_get(struct rd *r, struct msg_go *m)
{
	m->flags = rd_le32(r);
	return !r->bad && m->flags <= GO_ASK;
}

void
msg_refused_put(struct wr *w, const struct msg_refused *m)
{
	wr_u8(w, (uint8_t)m->why);
	wr_u8(w, m->icmp_type);
	wr_u8(w, m->icmp_code);
	wr_u8(w, 0);
	wr_le32(w, m->err);
	wr_le32(w, m->mtu);
	msg_addr_put(w, &m->offender);
}

bool
msg_refused_get(struct rd *r, struct msg_refused *m)
{
	bool offender;

	m->why = (enum refusal)rd_u8(r);
	m->icmp_type = rd_u8(r);
	m->icmp_code = rd_u8(r);
	(void)rd_u8(r);
	m->err = rd_le32(r);
	m->mtu = rd_le32(r);
	offender = msg_addr_get(r, &m->offender);
	return !r->bad && offender && m->why >= REFUSED_POLICY && m->why <= REFUSED_LIMIT;
}

void
msg_close_put(struct wr *w, const struct msg_close *m)
{
	wr_le32(w, (uint32_t)m->reason);
	wr_le64(w, m->up_bytes);
	wr_le64(w, m->down_bytes);
	wr_le64(w, m->up_packets);
	wr_le64(w, m->down_packets);
}

bool
msg_close_get(struct rd *r, struct msg_close *m)
{
	m->reason = (enum close_reason)rd_le32(r);
	m->up_bytes = rd_le64(r);
	m->down_bytes = rd_le64(r);
	m->up_packets = rd_le64(r);
	m->down_packets = rd_le64(r);
	return !r->bad && m->reason >= CLOSE_EOF && m->reason <= CLOSE_CANCEL;
}

void
msg_limit_put(struct wr *w, const struct msg_limit *m)
{
	wr_le32(w, (uint32_t)m->which);
	wr_le32(w, m->most);
	wr_le64(w, m->times);
}

bool
msg_limit_get(struct rd *r, struct msg_limit *m)
{
	m->which = (enum limit)rd_le32(r);
	m->most = rd_le32(r);
	m->times = rd_le64(r);
	return !r->bad && m->which >= LIMIT_FLOWS && m->which <= LIMIT_DATAGRAM_OPENING &&
	    m->times > 0;
}

void
msg_counts_put(struct wr *w, const struct msg_counts *m)
{
	wr_le64(w, m->up_bytes);
	wr_le64(w, m->down_bytes);
}

bool
msg_counts_get(struct rd *r, struct msg_counts *m)
{
	m->up_bytes = rd_le64(r);
	m->down_bytes = rd_le64(r);
	return !r->bad;
}

void
msg_name_put(struct wr *w, const struct msg_name *m)
{
	msg_addr_put(w, &m->addr);
	wr_le32(w, m->ttl);
	wr_le32(w, m->flags);
}

bool
msg_name_get(struct rd *r, struct msg_name *m)
{
	bool addr = msg_addr_get(r, &m->addr);

	m->ttl = rd_le32(r);
	m->flags = rd_le32(r);
	return !r->bad && addr && m->addr.family != 0 &&
	    (m->flags & ~(MSG_NAME_SYNTHETIC | MSG_NAME_PINNED)) == 0;
}

void
msg_resolve_put(struct wr *w, const struct msg_resolve *m)
{
	wr_u8(w, m->family);
	wr_bytes(w, "\0\0\0", 3);
}

bool
msg_resolve_get(struct rd *r, struct msg_resolve *m)
{
	m->family = rd_u8(r);
	(void)rd_take(r, 3);
	return !r->bad && (m->family == 0 || m->family == 4 || m->family == 6);
}

void
msg_resolved_put(struct wr *w, const struct msg_resolved *m)
{
	wr_le32(w, m->count);
}

bool
msg_resolved_get(struct rd *r, struct msg_resolved *m)
{
	m->count = rd_le32(r);
	return !r->bad && m->count <= MSG_ADDRS_MAX;
}

void
msg_list_put(struct wr *w, const struct addr *a, size_t n)
{
	wr_le32(w, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		msg_addr_put(w, &a[i]);
}

bool
msg_list_get(struct rd *r, struct addr *a, size_t max, size_t *n)
{
	uint32_t count = rd_le32(r);

	if (r->bad || count > max)
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (!msg_addr_get(r, &a[i]) || a[i].family == 0)
			return false;
	*n = count;
	return !r->bad && rd_left(r) == 0;
}

void
msg_tun_put(struct wr *w, const struct msg_tun *m)
{
	wr_le32(w, m->mtu);
	wr_le32(w, m->offloads);
}

bool
msg_tun_get(struct rd *r, struct msg_tun *m)
{
	m->mtu = rd_le32(r);
	m->offloads = rd_le32(r);
	return !r->bad && m->mtu >= 1280 && m->mtu <= 65535;	/* RFC 8200 5 */
}

void
msg_finish_put(struct wr *w, const struct msg_finish *m)
{
	wr_le32(w, m->flags);
}

bool
msg_finish_get(struct rd *r, struct msg_finish *m)
{
	m->flags = rd_le32(r);
	return !r->bad && (m->flags & ~FINISH_EMPTY) == 0;
}

void
msg_listen_put(struct wr *w, const struct msg_listen *m)
{
	wr_u8(w, m->family);
	wr_u8(w, 0);
	wr_le16(w, m->port);
}

bool
msg_listen_get(struct rd *r, struct msg_listen *m)
{
	m->family = rd_u8(r);
	(void)rd_u8(r);
	m->port = rd_le16(r);
	return !r->bad && (m->family == 4 || m->family == 6);
}

void
msg_tunnel_put(struct wr *w, const struct msg_tunnel *m)
{
	wr_u8(w, m->proto);
	wr_bytes(w, "\0\0\0", 3);
	msg_addr_put(w, &m->dst);
}

bool
msg_tunnel_get(struct rd *r, struct msg_tunnel *m)
{
	m->proto = rd_u8(r);
	(void)rd_take(r, 3);
	return msg_addr_get(r, &m->dst) && !r->bad && m->dst.family != 0 &&
	    (m->proto == IPPROTO_TCP || m->proto == IPPROTO_UDP);
}

void
msg_tunnelled_put(struct wr *w, const struct msg_tunnelled *m)
{
	wr_le16(w, m->port);
	wr_le16(w, m->flags);
}

bool
msg_tunnelled_get(struct rd *r, struct msg_tunnelled *m)
{
	m->port = rd_le16(r);
	m->flags = rd_le16(r);
	return !r->bad && (m->flags & ~TUNNELLED_STANDS) == 0;
}

void
msg_untunnelled_put(struct wr *w, const struct msg_untunnelled *m)
{
	wr_le32(w, m->flags);
	msg_refused_put(w, &m->no);
}

bool
msg_untunnelled_get(struct rd *r, struct msg_untunnelled *m)
{
	m->flags = rd_le32(r);
	return msg_refused_get(r, &m->no) && (m->flags & ~UNTUNNELLED_AGAIN) == 0;
}

void
msg_interface_put(struct wr *w, const struct msg_interface *m)
{
	wr_le32(w, m->linktype);
	wr_le32(w, m->snaplen);
	wr_le32(w, m->mtu);
}

bool
msg_interface_get(struct rd *r, struct msg_interface *m)
{
	m->linktype = rd_le32(r);
	m->snaplen = rd_le32(r);
	m->mtu = rd_le32(r);
	return !r->bad && m->linktype <= UINT16_MAX;
}

void
msg_packet_put(struct wr *w, const struct msg_packet *m)
{
	wr_le64(w, m->time);
	wr_le32(w, m->orig_len);
	wr_le16(w, m->direction);
	wr_le16(w, m->segment);
	wr_le32(w, m->dropped);
}

bool
msg_packet_get(struct rd *r, struct msg_packet *m)
{
	m->time = rd_le64(r);
	m->orig_len = rd_le32(r);
	m->direction = rd_le16(r);
	m->segment = rd_le16(r);
	m->dropped = rd_le32(r);
	return !r->bad && m->direction >= 1 && m->direction <= 2;
}

void
msg_who_put(struct wr *w, const struct msg_who *m)
{
	wr_u8(w, m->proto);
	wr_bytes(w, "\0\0\0", 3);
	msg_addr_put(w, &m->src);
	msg_addr_put(w, &m->dst);
}

bool
msg_who_get(struct rd *r, struct msg_who *m)
{
	bool src, dst;

	m->proto = rd_u8(r);
	(void)rd_take(r, 3);
	src = msg_addr_get(r, &m->src);
	dst = msg_addr_get(r, &m->dst);
	return !r->bad && src && dst && m->src.family == m->dst.family && m->dst.family != 0;
}

void
msg_whose_put(struct wr *w, const struct msg_whose *m)
{
	wr_le32(w, m->pid);
	for (size_t i = 0; i < MSG_PARENTS_MAX; i++)
		wr_le32(w, m->parent[i]);
}

bool
msg_whose_get(struct rd *r, struct msg_whose *m)
{
	m->pid = rd_le32(r);
	for (size_t i = 0; i < MSG_PARENTS_MAX; i++)
		m->parent[i] = rd_le32(r);
	return !r->bad;
}

void
msg_tuple_put(struct wr *w, const struct msg_tuple *m)
{
	wr_u8(w, m->proto);
	wr_u8(w, m->flags);
	wr_bytes(w, "\0\0", 2);
	msg_addr_put(w, &m->local);
	msg_addr_put(w, &m->remote);
}

bool
msg_tuple_get(struct rd *r, struct msg_tuple *m)
{
	bool addrs;

	m->proto = rd_u8(r);
	m->flags = rd_u8(r);
	(void)rd_take(r, 2);
	addrs = msg_addr_get(r, &m->local);
	addrs &= msg_addr_get(r, &m->remote);
	return !r->bad && addrs && (m->flags & ~(TUPLE_OF_DNS | TUPLE_ENDED)) == 0 &&
	    ((m->flags & TUPLE_ENDED) != 0 || (m->local.family != 0 && m->remote.family != 0));
}

void
msg_flow_put(struct wr *w, const struct msg_flow *m)
{
	wr_u8(w, (uint8_t)m->state);
	wr_u8(w, m->proto);
	wr_le16(w, m->comm_len);
	wr_le32(w, m->pid);
	msg_addr_put(w, &m->src);
	msg_addr_put(w, &m->dst);
	msg_addr_put(w, &m->local);
}

bool
msg_flow_get(struct rd *r, struct msg_flow *m)
{
	bool addrs;

	m->state = (enum flow_state)rd_u8(r);
	m->proto = rd_u8(r);
	m->comm_len = rd_le16(r);
	m->pid = rd_le32(r);
	addrs = msg_addr_get(r, &m->src);
	addrs &= msg_addr_get(r, &m->dst);
	addrs &= msg_addr_get(r, &m->local);
	return !r->bad && addrs && m->state >= FLOW_IS_ALLOWED && m->state <= FLOW_IS_REFUSED &&
	    m->comm_len <= rd_left(r);
}
