/*
 * encdns.c - see encdns.h.
 *
 * The tables hold public services that browsers and systems offer, or that are in the usual
 * lists (curl's wiki, "DNS over HTTPS"; AdGuard, "Known DNS providers"), each row with the
 * title of the provider's own page where there is one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "encdns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cidr.h"
#include "forms.h"
#include "name.h"

#define PORT_TLS	853	/* DNS over TLS: RFC 7858 3.1; over QUIC: RFC 9250 4.1.1 */
#define PORT_HTTPS	443

#define DOH(name)	{ name, ENCDNS_REFUSE, "a server of encrypted DNS" }

/* strcmp() order, so that it can be searched. */
const struct encdns_name encdns_names[] = {
	DOH("adguard-dns.com"),			/* AdGuard DNS, "Connect public DNS" */
	DOH("adult-filter-dns.cleanbrowsing.org"), /* CleanBrowsing, "DNS over TLS" */
	DOH("anycast.censurfridns.dk"),		/* UncensoredDNS, front page */
	DOH("anycast.uncensoreddns.org"),	/* the same */
	DOH("canadianshield.cira.ca"),		/* CIRA, "Canadian Shield configuration" */
	DOH("cloudflare-dns.com"),		/* Cloudflare 1.1.1.1, "DNS over HTTPS"; Firefox */
	DOH("cloudflare-gateway.com"),		/* Cloudflare Zero Trust, "DNS locations" */
	DOH("common.dot.dns.yandex.net"),	/* Yandex DNS, "DNS-over-TLS" */
	DOH("dns-family.adguard.com"),		/* AdGuard DNS, its former names */
	DOH("dns-unfiltered.adguard.com"),	/* the same */
	DOH("dns.adguard.com"),			/* the same */
	DOH("dns.alidns.com"),			/* AliDNS, "DoH" */
	DOH("dns.cloudflare.com"),		/* Cloudflare 1.1.1.1, as above */
	DOH("dns.controld.com"),		/* Control D, "DNS resolvers" */
	DOH("dns.digitale-gesellschaft.ch"),	/* Digitale Gesellschaft, "DNS" */
	DOH("dns.google"),			/* Google Public DNS, "DNS-over-HTTPS (DoH)" */
	DOH("dns.google.com"),			/* the same, its former name */
	DOH("dns.mullvad.net"),			/* Mullvad, "DNS over HTTPS and DNS over TLS" */
	DOH("dns.nextdns.io"),			/* NextDNS, "Setup guide"; Firefox */
	DOH("dns.pub"),				/* DNSPod Public DNS */
	DOH("dns.quad9.net"),			/* Quad9, "Service addresses and features" */
	DOH("dns.sb"),				/* DNS.SB, "DoH" */
	DOH("dns.switch.ch"),			/* SWITCH Public DNS */
	DOH("dns.twnic.tw"),			/* TWNIC Quad101 */
	DOH("dns0.eu"),				/* dns0.eu, front page */
	DOH("dns10.quad9.net"),			/* Quad9, as above */
	DOH("dns11.quad9.net"),			/* the same */
	DOH("dns12.quad9.net"),			/* the same */
	DOH("dns64.dns.google"),		/* Google Public DNS64 */
	DOH("dns9.quad9.net"),			/* Quad9, as above */
	DOH("dnsforge.de"),			/* dnsforge.de, front page */
	DOH("doh.360.cn"),			/* 360 Secure DNS */
	DOH("doh.appliedprivacy.net"),		/* Applied Privacy, "DNS privacy services" */
	DOH("doh.cleanbrowsing.org"),		/* CleanBrowsing, "DNS over HTTPS" */
	DOH("doh.dns.apple.com"),		/* Apple, oblivious DNS of Private Relay */
	DOH("doh.dns.sb"),			/* DNS.SB, as above */
	DOH("doh.familyshield.opendns.com"),	/* OpenDNS, "Using DNS over HTTPS (DoH)" */
	DOH("doh.ffmuc.net"),			/* Freifunk Muenchen, "DoH" */
	DOH("doh.libredns.gr"),			/* LibreDNS */
	DOH("doh.mullvad.net"),			/* Mullvad, its former name */
	DOH("doh.opendns.com"),			/* OpenDNS, as above */
	DOH("doh.pub"),				/* DNSPod Public DNS */
	DOH("doh.sandbox.opendns.com"),		/* OpenDNS, as above */
	DOH("doh.tiar.app"),			/* tiar.app, privacy-first DNS */
	DOH("doh.umbrella.com"),		/* Cisco Umbrella, "DNS over HTTPS" */
	DOH("doh.xfinity.com"),			/* Comcast, "Encrypted DNS deployment" */
	DOH("dot.360.cn"),			/* 360 Secure DNS */
	DOH("dot.pub"),				/* DNSPod Public DNS */
	DOH("dot.sb"),				/* DNS.SB, "DoT" */
	DOH("family-filter-dns.cleanbrowsing.org"), /* CleanBrowsing, "DNS over TLS" */
	DOH("fdns1.dismail.de"),		/* dismail.de, "DNS" */
	DOH("fdns2.dismail.de"),		/* the same */
	DOH("freedns.controld.com"),		/* Control D, "Free DNS" */
	DOH("jp.tiar.app"),			/* tiar.app, as above */
	/* Apple, "Prepare your network or web server for iCloud Private Relay": either negative
	 * answer makes a system ask its user, and do without. */
	{ "mask-h2.icloud.com", ENCDNS_NXDOMAIN, "a question whether a relay may be used" },
	{ "mask.icloud.com", ENCDNS_NXDOMAIN, "a question whether a relay may be used" },
	DOH("ns0.fdn.fr"),			/* FDN, "DNS publics" */
	DOH("ns1.fdn.fr"),			/* the same */
	DOH("odvr.nic.cz"),			/* CZ.NIC, "ODVR" */
	DOH("one.one.one.one"),			/* Cloudflare 1.1.1.1, "DNS over TLS" */
	DOH("ordns.he.net"),			/* Hurricane Electric, public resolver */
	DOH("public.dns.iij.jp"),		/* IIJ Public DNS */
	/* Which encrypted resolver there is beside the plain one: none (RFC 9462 4, 6.4). */
	{ "resolver.arpa", ENCDNS_EMPTY, "a question which encrypted resolver there is" },
	DOH("security-filter-dns.cleanbrowsing.org"), /* CleanBrowsing, as above */
	DOH("unicast.censurfridns.dk"),		/* UncensoredDNS, front page */
	DOH("unicast.uncensoreddns.org"),	/* the same */
	/* Mozilla, "Canary domain - use-application-dns.net": any error, or no address. */
	{ "use-application-dns.net", ENCDNS_NXDOMAIN, "a question whether DNS over HTTPS may be used" },
	DOH("wikimedia-dns.org"),		/* Wikimedia DNS */
};
const size_t encdns_n_names = sizeof(encdns_names) / sizeof(encdns_names[0]);

/* Anycast addresses that answer for nothing but DNS; all of it, or a network of such. */
static const struct {
	const char	*net;
	unsigned	 bits;
} servers[] = {
	{ "1.1.1.1", 32 }, { "1.0.0.1", 32 },		/* Cloudflare 1.1.1.1, "IP addresses" */
	{ "1.1.1.2", 31 }, { "1.0.0.2", 31 },		/* the same, "for Families" */
	{ "162.159.36.1", 32 }, { "162.159.46.1", 32 },	/* Cloudflare Zero Trust, "DNS locations" */
	{ "2606:4700:4700::1111", 128 }, { "2606:4700:4700::1001", 128 },
	{ "2606:4700:4700::1112", 127 }, { "2606:4700:4700::1002", 127 },
	{ "2606:4700:4700::64", 128 }, { "2606:4700:4700::6400", 128 },	/* its DNS64 */
	{ "8.8.8.8", 32 }, { "8.8.4.4", 32 },		/* Google Public DNS, "Get started" */
	{ "2001:4860:4860::8888", 128 }, { "2001:4860:4860::8844", 128 },
	{ "2001:4860:4860::6464", 128 }, { "2001:4860:4860::64", 128 },
	{ "9.9.9.9", 32 }, { "9.9.9.10", 31 }, { "9.9.9.12", 32 }, /* Quad9, "Service addresses" */
	{ "149.112.112.9", 32 }, { "149.112.112.10", 31 }, { "149.112.112.12", 32 },
	{ "149.112.112.112", 32 },
	{ "2620:fe::9", 128 }, { "2620:fe::fe", 128 }, { "2620:fe::10", 127 },
	{ "2620:fe::12", 128 }, { "2620:fe::fe:9", 128 }, { "2620:fe::fe:10", 127 },
	{ "2620:fe::fe:12", 128 },
	{ "208.67.222.222", 32 }, { "208.67.220.220", 32 }, /* OpenDNS, "Setup guide" */
	{ "208.67.222.123", 32 }, { "208.67.220.123", 32 },
	{ "208.67.222.2", 32 }, { "208.67.220.2", 32 },
	{ "146.112.41.2", 31 },				/* OpenDNS, "Using DNS over HTTPS (DoH)" */
	{ "2620:119:35::35", 128 }, { "2620:119:53::53", 128 },
	{ "2620:0:ccc::2", 128 }, { "2620:0:ccd::2", 128 },
	{ "94.140.14.14", 31 }, { "94.140.15.15", 32 }, { "94.140.15.16", 32 },
	{ "94.140.14.140", 31 },			/* AdGuard DNS, "Connect public DNS" */
	{ "2a10:50c0::ad1:ff", 128 }, { "2a10:50c0::ad2:ff", 128 },
	{ "2a10:50c0::bad1:ff", 128 }, { "2a10:50c0::bad2:ff", 128 },
	{ "2a10:50c0::1:ff", 128 }, { "2a10:50c0::2:ff", 128 },
	{ "185.228.168.168", 32 }, { "185.228.169.168", 32 }, /* CleanBrowsing, "IP addresses" */
	{ "185.228.168.10", 32 }, { "185.228.169.11", 32 },
	{ "185.228.168.9", 32 }, { "185.228.169.9", 32 },
	{ "2a0d:2a00:1::", 126 }, { "2a0d:2a00:2::", 126 },
	{ "45.90.28.0", 24 }, { "45.90.30.0", 24 },	/* NextDNS, "Setup guide" */
	{ "2a07:a8c0::", 32 }, { "2a07:a8c1::", 32 },
	{ "76.76.2.0", 24 }, { "76.76.10.0", 24 },	/* Control D, "DNS resolvers" */
	{ "2606:1a40::", 32 },
	{ "194.242.2.0", 28 },				/* Mullvad, "DNS over HTTPS" */
	{ "2a07:e340::", 124 },
	{ "193.110.81.0", 32 }, { "185.253.5.0", 32 },	/* dns0.eu, front page */
	{ "223.5.5.5", 32 }, { "223.6.6.6", 32 },	/* AliDNS */
	{ "2400:3200::1", 128 }, { "2400:3200:baba::1", 128 },
	{ "1.12.12.12", 32 }, { "120.53.53.53", 32 },	/* DNSPod Public DNS, "DoH" */
	{ "77.88.8.8", 32 }, { "77.88.8.1", 32 }, { "77.88.8.88", 32 }, /* Yandex DNS */
	{ "77.88.8.2", 32 }, { "77.88.8.7", 32 }, { "77.88.8.3", 32 },
	{ "185.222.222.222", 32 }, { "45.11.45.11", 32 }, /* DNS.SB */
	{ "2a09::", 128 }, { "2a11::", 128 },
	{ "149.112.121.10", 32 }, { "149.112.122.10", 32 }, /* CIRA Canadian Shield */
	{ "149.112.121.20", 32 }, { "149.112.122.20", 32 },
	{ "149.112.121.30", 32 }, { "149.112.122.30", 32 },
	{ "185.95.218.42", 31 },			/* Digitale Gesellschaft, "DNS" */
	{ "185.71.138.138", 32 },			/* Wikimedia DNS */
	{ "74.82.42.42", 32 }, { "2001:470:20::2", 128 }, /* Hurricane Electric */
	{ "101.101.101.101", 32 },			/* TWNIC Quad101 */
};

bool
encdns_blocked(enum encdns_choice choice, const struct rules *rules)
{
	if (choice != ENCDNS_BY_RULES)
		return choice == ENCDNS_BLOCK;
	return rules != NULL && rules_hold_names(rules);
}

static int
name_order(const void *key, const void *row)
{
	return strcmp(key, ((const struct encdns_name *)row)->name);
}

const struct encdns_name *
encdns_name(const char *name)
{
	const struct encdns_name *found = NULL;

	for (; name != NULL && found == NULL; name = name_parent(name))
		found = bsearch(name, encdns_names, encdns_n_names, sizeof(encdns_names[0]),
		    name_order);
	return found;
}

#define N_SERVERS	(sizeof(servers) / sizeof(servers[0]))

static bool
is_server(const struct addr *a)
{
	static struct addr net[N_SERVERS];	/* as the rows say; read once */

	for (size_t i = 0; i < N_SERVERS; i++) {
		struct addr masked = *a;

		if (net[i].family == 0)
			(void)addr_parse(servers[i].net, 0, &net[i]);
		cidr_mask(&masked, servers[i].bits);
		if (masked.family == net[i].family &&
		    memcmp(masked.ip, net[i].ip, sizeof(masked.ip)) == 0)
			return true;
	}
	return false;
}

const char *
encdns_flow(const struct addr *dst)
{
	struct addr forms[FORMS_MAX];
	size_t n;

	if (dst->port == PORT_TLS)
		return "encrypted DNS (port 853)";
	if (dst->port != PORT_HTTPS)
		return NULL;
	n = forms_of(dst, forms);
	for (size_t i = 0; i < n; i++)
		if (is_server(&forms[i]))
			return "a server of encrypted DNS";
	return NULL;
}

void
encdns_words(const char *what, struct rules_words *out)
{
	*out = (struct rules_words){ .reason_code = "encrypted_dns",
	    .control = "--block-encrypted-dns" };
	snprintf(out->text, sizeof(out->text), "blocked by `--block-encrypted-dns` (%s)", what);
	snprintf(out->hint, sizeof(out->hint), "--allow-encrypted-dns would allow it");
}
