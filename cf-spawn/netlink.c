/*
 * netlink.c - addresses, routes and links of the child's network namespace.
 *
 * The addresses are /32 and /128: a connected subnet would have neighbours that nobody
 * is.  No link-local address is made, so an idle tree sends no router solicitations or
 * multicast reports.
 *
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "batch.h"
#include "childnet.h"
#include "inside.h"

#define LO_INDEX	1	/* in every network namespace */
#define TUN_QUEUE_LEN	10000	/* 500 slots drop packets of 16 parallel streams */

static void
link_up(struct batch *b, const char *what, unsigned index)
{
	struct nlmsghdr *nlh = batch_request(b, what, false, RTM_NEWLINK, NLM_F_ACK);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));

	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_index = (int)index;
	ifi->ifi_flags = ifi->ifi_change = IFF_UP;
	batch_request_end(b, nlh);
}

static void
link_configure(struct batch *b, unsigned index)
{
	struct nlmsghdr *nlh = batch_request(b, "configure tun0", false, RTM_NEWLINK, NLM_F_ACK);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));

	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_index = (int)index;
	mnl_attr_put_u32(nlh, IFLA_MTU, INSIDE_MTU);
	mnl_attr_put_u32(nlh, IFLA_TXQLEN, TUN_QUEUE_LEN);
	batch_request_end(b, nlh);
}

static void
link_no_link_local(struct batch *b, unsigned index)
{
	struct nlmsghdr *nlh = batch_request(b, "keep tun0 silent", true, RTM_NEWLINK, NLM_F_ACK);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	struct nlattr *spec, *inet6;

	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_index = (int)index;
	spec = mnl_attr_nest_start(nlh, IFLA_AF_SPEC);
	inet6 = mnl_attr_nest_start(nlh, AF_INET6);
	mnl_attr_put_u8(nlh, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(nlh, inet6);
	mnl_attr_nest_end(nlh, spec);
	batch_request_end(b, nlh);
}

static void
address_add(struct batch *b, unsigned index, int family, const char *text)
{
	bool v6 = family == AF_INET6;
	struct nlmsghdr *nlh = batch_request(b,
	    v6 ? "set the IPv6 address" : "set the IPv4 address", v6,
	    RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
	uint8_t ip[16];
	size_t len = v6 ? 16 : 4;

	inet_pton(family, text, ip);
	ifa->ifa_family = (uint8_t)family;
	ifa->ifa_prefixlen = (uint8_t)(len * 8);
	ifa->ifa_flags = IFA_F_PERMANENT | (v6 ? IFA_F_NODAD : 0);
	ifa->ifa_scope = RT_SCOPE_UNIVERSE;
	ifa->ifa_index = index;
	mnl_attr_put(nlh, IFA_LOCAL, len, ip);
	mnl_attr_put(nlh, IFA_ADDRESS, len, ip);
	batch_request_end(b, nlh);
}

/*
 * The kernel makes an IPv6 address's local route in a work queue, after the address: until then
 * packets to it would leave by tun0.  This one is there at once and does the same.
 */
static void
route_own6(struct batch *b)
{
	struct nlmsghdr *nlh = batch_request(b, "set the IPv6 address's own route", true,
	    RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	uint8_t ip[16];

	inet_pton(AF_INET6, INSIDE_CHILD6, ip);
	rtm->rtm_family = AF_INET6;
	rtm->rtm_dst_len = 128;
	rtm->rtm_table = RT_TABLE_LOCAL;
	rtm->rtm_protocol = RTPROT_BOOT;
	rtm->rtm_type = RTN_LOCAL;
	mnl_attr_put(nlh, RTA_DST, sizeof(ip), ip);
	mnl_attr_put_u32(nlh, RTA_OIF, LO_INDEX);
	batch_request_end(b, nlh);
}

static void
route_default(struct batch *b, unsigned index, int family)
{
	bool v6 = family == AF_INET6;
	struct nlmsghdr *nlh = batch_request(b,
	    v6 ? "set the IPv6 route" : "set the IPv4 route", v6,
	    RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));

	rtm->rtm_family = (uint8_t)family;
	rtm->rtm_table = RT_TABLE_MAIN;
	rtm->rtm_protocol = RTPROT_BOOT;
	rtm->rtm_scope = v6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	rtm->rtm_type = RTN_UNICAST;
	mnl_attr_put_u32(nlh, RTA_OIF, index);
	batch_request_end(b, nlh);
}

/* lent: the namespace is another's, in which only what goes with tun0 may be left. */
static int
configure(bool *ipv6, bool lent, const char **what)
{
	struct batch b = { 0 };
	uint32_t before6;
	unsigned tun;

	*what = "find tun0";
	if ((tun = if_nametoindex("tun0")) == 0)
		return -1;
	link_up(&b, "bring lo up", LO_INDEX);
	link_configure(&b, tun);
	link_no_link_local(&b, tun);
	link_up(&b, "bring tun0 up", tun);
	address_add(&b, tun, AF_INET, INSIDE_CHILD4);
	route_default(&b, tun, AF_INET);
	before6 = (1u << b.n) - 1;
	address_add(&b, tun, AF_INET6, INSIDE_CHILD6);
	if (!lent)
		route_own6(&b);
	route_default(&b, tun, AF_INET6);
	if (batch_run(&b, NETLINK_ROUTE, what) != 0)
		return -1;
	*ipv6 = (b.refused & ~before6) == 0;
	return 0;
}

int
netlink_configure(bool *ipv6, const char **what)
{
	return configure(ipv6, false, what);
}

int
netlink_configure_lent(bool *ipv6, const char **what)
{
	return configure(ipv6, true, what);
}

static bool
sysctl_write(const char *name, const char *value)
{
	char path[128];
	int fd;
	bool ok;

	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	if ((fd = open(path, O_WRONLY | O_CLOEXEC)) == -1)
		return false;
	ok = write(fd, value, strlen(value)) != -1;
	close(fd);
	return ok;
}

void
netlink_sysctls(gid_t gid)
{
	char range[32];

	/* ping(8) without privileges: who may open ICMP echo sockets in here. */
	snprintf(range, sizeof(range), "%u %u", (unsigned)gid, (unsigned)gid);
	sysctl_write("ipv4/ping_group_range", range);
	/*
	 * A pacing congestion control (bbr, inherited from the host) halves what is sent on
	 * a link that loses nothing; reno is the one that is always allowed.
	 */
	if (!sysctl_write("ipv4/tcp_congestion_control", "cubic"))
		sysctl_write("ipv4/tcp_congestion_control", "reno");
}
