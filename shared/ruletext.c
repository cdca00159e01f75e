/*
 * ruletext.c - see ruletext.h.
 *
 * The text is cut from behind: the protocol at the last "/", then the ports, then what is
 * left is the target.  Each part knows where it stood, so that an error has a column.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ruletext.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cidr.h"
#include "forms.h"
#include "idn.h"

/* A part of the text. */
struct piece {
	const char	*p;
	size_t		 len;
};

/* One run of the parser. */
struct run {
	const char	*text;
	enum ruletext_kind kind;
	struct ruletext	*out;
	struct ruletext_error *err;
	bool		 proto_set;
	enum rule_proto	 proto;
};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static struct piece
piece_from(struct piece in, size_t from)
{
	return (struct piece){ in.p + from, in.len - from };
}

static struct piece
piece_upto(struct piece in, size_t len)
{
	return (struct piece){ in.p, len };
}

/* Where c first stands, or the length. */
static size_t
piece_find(struct piece in, char c)
{
	const char *at = in.len == 0 ? NULL : memchr(in.p, c, in.len);

	return at == NULL ? in.len : (size_t)(at - in.p);
}

static bool
piece_is(struct piece in, const char *word)
{
	return in.len == strlen(word) && strncasecmp(in.p, word, in.len) == 0;
}

const char *
ruletext_quote(const char *text, size_t len, char buf[RULETEXT_QUOTED])
{
	size_t n = 0;

	buf[n++] = '\'';
	for (size_t i = 0; i < len; i++) {
		uint8_t c = (uint8_t)text[i];

		if (n > RULETEXT_QUOTED - 10)
			return strcpy(buf + n, "...'"), buf;
		if (c >= 0x20 && c < 0x7f)
			buf[n++] = (char)c;
		else
			n += (size_t)snprintf(buf + n, 5, "\\x%02x", c);
	}
	memcpy(buf + n, "'", 2);
	return buf;
}

/* The error stands at `at`, which is in the text or right behind it. */
__attribute__((format(printf, 3, 4))) static bool
run_bad(struct run *run, const char *at, const char *fmt, ...)
{
	va_list ap;

	run->err->column = (size_t)(at - run->text) + 1;
	va_start(ap, fmt);
	vsnprintf(run->err->why, sizeof(run->err->why), fmt, ap);
	va_end(ap);
	return false;
}

/* ---- protocol ---- */

/* What people write where a protocol should be. */
static const struct {
	const char	*word, *meant;
} near_protos[] = {
	{ "icmpv4", "/icmp" }, { "icmpv6", "/icmp" }, { "icmp6", "/icmp" }, { "ping", "/icmp" },
	{ "echo", "/icmp" }, { "http", ":80/tcp" }, { "https", ":443/tcp" }, { "ssh", ":22/tcp" },
	{ "dns", ":53" }, { "domain", ":53" }, { "quic", ":443/udp" }, { "tls", ":443/tcp" },
	{ "tcp4", "/tcp" }, { "tcp6", "/tcp" }, { "udp4", "/udp" }, { "udp6", "/udp" },
};

static bool
proto_bad(struct run *run, struct piece word)
{
	char quoted[RULETEXT_QUOTED];

	ruletext_quote(word.p, word.len, quoted);
	for (size_t i = 0; i < sizeof(near_protos) / sizeof(near_protos[0]); i++)
		if (piece_is(word, near_protos[i].word))
			return run_bad(run, word.p, "%s is not a protocol of rules: did you mean '%s'?",
			    quoted, near_protos[i].meant);
	return run_bad(run, word.p, "%s is not a protocol: write tcp, udp or icmp (a rule has no path)",
	    quoted);
}

/* Take "/tcp" off the end of *text, if there is a "/" with letters behind it. */
static bool
proto_take(struct run *run, struct piece *text)
{
	static const char *const words[RULE_PROTOS] = { "tcp", "udp", "icmp" };
	size_t slash = text->len;
	struct piece word;

	while (slash > 0 && text->p[slash - 1] != '/')
		slash--;
	if (slash == 0)
		return true;
	word = piece_from(*text, slash);
	if (word.len == 0)
		return run_bad(run, word.p, "nothing follows the '/': a length or a protocol should");
	if (!is_letter(*word.p))
		return true;
	for (int i = 0; i < RULE_PROTOS; i++)
		if (piece_is(word, words[i])) {
			run->proto = (enum rule_proto)i;
			run->proto_set = true;
			text->len = slash - 1;
			return true;
		}
	return proto_bad(run, word);
}

/* ---- ports ---- */

static bool
range_add(struct run *run, const char *at, uint32_t lo, uint32_t hi)
{
	struct ruletext *out = run->out;

	if (out->n_ranges == RULETEXT_SPANS)
		return run_bad(run, at, "a rule has at most %d ports and ranges: write a second rule",
		    RULETEXT_SPANS / 2);
	out->range[out->n_ranges++] = (struct rule_range){ lo, hi };
	return true;
}

static bool
port_read(struct run *run, struct piece text, uint32_t *out)
{
	char quoted[RULETEXT_QUOTED];
	uint32_t v = 0;

	if (text.len == 0)
		return run_bad(run, text.p, "a port is missing");
	for (size_t i = 0; i < text.len; i++) {
		if (!is_digit(text.p[i]))
			return run_bad(run, text.p + i, "%s is not a port: write a number or a range as "
			    "8000-8099", ruletext_quote(text.p, text.len, quoted));
		if ((v = v * 10 + (uint32_t)(text.p[i] - '0')) > 65535)
			return run_bad(run, text.p, "port %s is beyond 65535",
			    ruletext_quote(text.p, text.len, quoted));
	}
	if (v == 0)
		return run_bad(run, text.p, "port 0 does not exist: for all ports leave the port out");
	*out = v;
	return true;
}

/* "443" or "8000-8099", for each protocol that is meant. */
static bool
ports_add(struct run *run, struct piece text)
{
	size_t dash = piece_find(text, '-');
	uint32_t lo, hi;

	if (!port_read(run, piece_upto(text, dash), &lo))
		return false;
	hi = lo;
	if (dash < text.len && !port_read(run, piece_from(text, dash + 1), &hi))
		return false;
	if (hi < lo)
		return run_bad(run, text.p, "the range runs backwards: did you mean %u-%u?", hi, lo);
	for (int i = RULE_TCP; i <= RULE_UDP; i++)
		if ((!run->proto_set || run->proto == (enum rule_proto)i) &&
		    !range_add(run, text.p, RULE_SELECTOR(i, lo), RULE_SELECTOR(i, hi)))
			return false;
	return true;
}

/* have: there was a ":" before the text. */
static bool
ports_read(struct run *run, struct piece text, bool have)
{
	if (!have)
		return range_add(run, text.p,
		    run->proto_set ? RULE_SELECTOR(run->proto, 0) : 0,
		    run->proto_set ? RULE_SELECTOR(run->proto, 0xffff) : RULE_SELECTOR_LAST);
	if (run->proto_set && run->proto == RULE_ICMP)
		return run_bad(run, text.p, "icmp has no ports: leave out the port or the protocol");
	for (;;) {
		size_t comma = piece_find(text, ',');

		if (!ports_add(run, piece_upto(text, comma)))
			return false;
		if (comma == text.len)
			return true;
		text = piece_from(text, comma + 1);
	}
}

/* ---- addresses ---- */

const char *
ruletext_net_str(const struct addr *net, unsigned bits, char *buf)
{
	char ip[ADDR_STRLEN];

	snprintf(buf, ADDR_STRLEN, "%.46s/%u", addr_ip_str(net, ip), bits);
	return buf;
}

static bool
ip_read(struct piece text, struct addr *out)
{
	char host[ADDR_STRLEN];

	if (text.len >= sizeof(host) || memchr(text.p, '\0', text.len) != NULL)
		return false;
	memcpy(host, text.p, text.len);
	host[text.len] = '\0';
	*out = (struct addr){ .family = 4 };
	if (inet_pton(AF_INET, host, out->ip) == 1)
		return true;
	out->family = 6;
	return inet_pton(AF_INET6, host, out->ip) == 1;
}

static bool
ip_bad(struct run *run, struct piece text)
{
	char quoted[RULETEXT_QUOTED];
	size_t percent = piece_find(text, '%');

	if (percent < text.len)
		return run_bad(run, text.p + percent, "an address in a rule has no zone: leave out %s",
		    ruletext_quote(text.p + percent, text.len - percent, quoted));
	return run_bad(run, text.p, "%s is not an address", ruletext_quote(text.p, text.len, quoted));
}

static bool
length_read(struct run *run, struct piece text, unsigned most, unsigned *out)
{
	char quoted[RULETEXT_QUOTED];
	unsigned v = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (!is_digit(text.p[i]))
			return run_bad(run, text.p + i, "%s is neither a length nor a protocol",
			    ruletext_quote(text.p, text.len, quoted));
		v = v > 1000 ? v : v * 10 + (unsigned)(text.p[i] - '0');
	}
	if (text.len == 0 || v > most)
		return run_bad(run, text.p, "the length of this network is 0 to %u", most);
	*out = v;
	return true;
}

/* An IPv4-mapped network is the IPv4 network, see forms.h. */
static void
net_unmap(struct ruletext *out)
{
	struct addr forms[FORMS_MAX];

	if (out->net.family != 6 || out->bits < 96)
		return;
	forms_of(&out->net, forms);
	if (forms[0].family == 4) {
		out->net = forms[0];
		out->bits -= 96;
	}
}

/* host, and the length behind its "/" if have. */
static bool
net_read(struct run *run, struct piece host, struct piece length, bool have)
{
	struct ruletext *out = run->out;
	char net[ADDR_STRLEN], quoted[RULETEXT_QUOTED];
	struct addr whole;

	out->target = RULETEXT_NET;
	if (!ip_read(host, &out->net))
		return ip_bad(run, host);
	out->bits = (unsigned)addr_iplen(&out->net) * 8;
	if (have && !length_read(run, length, out->bits, &out->bits))
		return false;
	whole = out->net;
	if (cidr_mask(&whole, out->bits))
		return run_bad(run, host.p, "%s has bits set behind its length of %u: did you mean %s?",
		    ruletext_quote(host.p, host.len, quoted), out->bits,
		    ruletext_net_str(&whole, out->bits, net));
	net_unmap(out);
	return true;
}

/* ---- names ---- */

static bool
star_bad(struct run *run, struct piece text, size_t star)
{
	char quoted[RULETEXT_QUOTED];

	if (star == 0 && text.len > 1)
		return run_bad(run, text.p, "a '*' needs a dot behind it: did you mean '*.%.*s'?",
		    (int)strnlen(ruletext_quote(text.p + 1, text.len - 1, quoted) + 1, 90) - 1, quoted + 1);
	return run_bad(run, text.p + star, "a '*' stands alone or in front, as in '*.example.com'");
}

static bool
name_read(struct run *run, struct piece text)
{
	struct ruletext *out = run->out;
	char full[NAME_STRLEN], quoted[RULETEXT_QUOTED];
	struct name_error why = { NULL, 0 };
	size_t star = piece_find(text, '*');

	out->target = RULETEXT_NAME;
	if (star < text.len)
		return star_bad(run, text, star);
	if (!idn_name(text.p, text.len, full, &why))
		return run_bad(run, text.p + why.at, "%s is not a name: %s",
		    ruletext_quote(text.p, text.len, quoted), why.why);
	if (name_is_number(full))
		return run_bad(run, text.p, "%s is neither an address nor a name "
		    "(a name does not end in a number)", ruletext_quote(text.p, text.len, quoted));
	memcpy(out->name, full, strlen(full) + 1);	/* NAME_TEXT_MAX was held */
	return true;
}

/* "*", "*.name", ".name", name or an IPv4 address. */
static bool
host_read(struct run *run, struct piece text)
{
	struct ruletext *out = run->out;
	struct addr unused;

	if (piece_is(text, "*")) {
		out->target = RULETEXT_ANY;
		return true;
	}
	if (ip_read(text, &unused))
		return net_read(run, text, text, false);
	if (text.len > 2 && text.p[0] == '*' && text.p[1] == '.') {
		out->below = true;
		return name_read(run, piece_from(text, 2));
	}
	out->self = true;
	if (text.len > 1 && text.p[0] == '.') {
		out->below = true;
		text = piece_from(text, 1);
	}
	return name_read(run, text);
}

/* ---- the whole ---- */

/* "[v6]", "[v6]/32", "[v6/32]", each with ports. */
static bool
bracket_read(struct run *run, struct piece text)
{
	size_t close = piece_find(text, ']'), slash, colon;
	struct piece host, length, rest;
	bool have;

	if (close == text.len)
		return run_bad(run, text.p, "the '[' is not closed by a ']'");
	host = piece_upto(piece_from(text, 1), close - 1);
	slash = piece_find(host, '/');
	rest = piece_from(text, close + 1);
	length = piece_from(host, slash < host.len ? slash + 1 : host.len);
	have = slash < host.len;
	host = piece_upto(host, slash);
	if (piece_find(host, ':') == host.len)
		return run_bad(run, host.p, "between brackets stands an IPv6 address");
	if (!have && rest.len > 0 && rest.p[0] == '/') {
		have = true;
		length = piece_upto(piece_from(rest, 1), piece_find(rest, ':') - 1);
		rest = piece_from(rest, length.len + 1);
	}
	colon = piece_find(rest, ':');
	if (colon > 0 && rest.len > 0)
		return run_bad(run, rest.p, "behind the ']' may stand a '/' and a ':' and nothing else");
	return net_read(run, host, length, have) &&
	    ports_read(run, piece_from(rest, rest.len > 0), rest.len > 0);
}

static bool
slash_read(struct run *run, struct piece text, size_t slash)
{
	struct piece rest = piece_from(text, slash + 1);
	size_t colon = piece_find(rest, ':');

	return net_read(run, piece_upto(text, slash), piece_upto(rest, colon), true) &&
	    ports_read(run, piece_from(rest, colon < rest.len ? colon + 1 : colon), colon < rest.len);
}

static bool
target_read(struct run *run, struct piece text)
{
	size_t slash = piece_find(text, '/'), colon = piece_find(text, ':');
	bool have = colon < text.len;

	if (text.len > 0 && text.p[0] == '[')
		return bracket_read(run, text);
	if (slash < text.len)
		return slash_read(run, text, slash);
	if (have && piece_find(piece_from(text, colon + 1), ':') < text.len - colon - 1)
		return net_read(run, text, text, false) &&
		    ports_read(run, piece_from(text, text.len), false);
	return host_read(run, piece_upto(text, colon)) &&
	    ports_read(run, piece_from(text, have ? colon + 1 : colon), have);
}

/* Things that people paste. */
static bool
looks_foreign(struct run *run, struct piece text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.len - i >= 3 && memcmp(text.p + i, "://", 3) == 0)
			return !run_bad(run, text.p, "a rule is not a URL: write only the host and "
			    "the port, as in example.com:443");
		if (text.p[i] == '@')
			return !run_bad(run, text.p + i, "a rule has no user: write what follows the '@'");
		if (text.p[i] == ' ' || text.p[i] == '\t')
			return !run_bad(run, text.p + i, "there is a space inside: one text is one rule");
		if (text.p[i] == '\0')
			return !run_bad(run, text.p + i, "there is a zero byte inside");
	}
	return false;
}

/* What childflow's own options have always taken; they know neither ports nor stars. */
static bool
kind_ok(struct run *run, struct piece text)
{
	static const struct {
		enum ruletext_target target;
		const char	*meant;
	} rows[RULETEXT_KINDS] = {
		[RULETEXT_DOMAIN] = { RULETEXT_NAME, "a name, with everything below it" },
		[RULETEXT_EXACT] = { RULETEXT_NAME, "one name" },
		[RULETEXT_CIDR] = { RULETEXT_NET, "an address or a network" },
	};
	struct ruletext *out = run->out;
	bool all = out->n_ranges == 1 && out->range[0].lo == 0 &&
	    out->range[0].hi == RULE_SELECTOR_LAST;
	char quoted[RULETEXT_QUOTED];

	if (run->kind == RULETEXT_FULL)
		return true;
	if (out->target != rows[run->kind].target || !all ||
	    (out->below && (!out->self || run->kind == RULETEXT_EXACT)))
		return run_bad(run, text.p, "%s: this option takes %s; --allow and --deny also take "
		    "ports, protocols and '*'", ruletext_quote(text.p, text.len, quoted),
		    rows[run->kind].meant);
	if (run->kind == RULETEXT_DOMAIN)
		out->below = true;
	return true;
}

bool
ruletext_parse(enum ruletext_kind kind, const char *text, size_t len, struct ruletext *out,
    struct ruletext_error *err)
{
	struct run run = { .text = text, .kind = kind, .out = out, .err = err };
	struct piece whole = { text, len }, rest;
	size_t at;

	memset(out, 0, sizeof(*out));
	while (whole.len > 0 && (*whole.p == ' ' || *whole.p == '\t'))
		whole = piece_from(whole, 1);
	while (whole.len > 0 && strchr(" \t", whole.p[whole.len - 1]) != NULL &&
	    whole.p[whole.len - 1] != '\0')
		whole.len--;
	if (whole.len == 0)
		return run_bad(&run, whole.p, "the rule is empty");
	if (whole.len > RULETEXT_MAX)
		return run_bad(&run, whole.p, "a rule is at most %d bytes long", RULETEXT_MAX);
	if (!idn_utf8_ok(whole.p, whole.len, &at) && whole.p[at] != '\0')
		return run_bad(&run, whole.p + at, "the text is not UTF-8");
	if (looks_foreign(&run, whole))
		return false;
	rest = whole;
	return proto_take(&run, &rest) && target_read(&run, rest) && kind_ok(&run, whole);
}
