/*
 * known.c - see known.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "known.h"

#include "inside.h"

#define NEVER(net, bits, code, what)	{ net, NULL, code, what, bits, KNOWN_NEVER }
#define PRIVATE(net, bits, what)	{ net, NULL, "private", what, bits, KNOWN_PRIVATE }
#define META4(net, what)		{ net, NULL, "metadata", what, 32, KNOWN_METADATA }
#define META6(net, what)		{ net, NULL, "metadata", what, 128, KNOWN_METADATA }
#define METANAME(name, what)		{ NULL, name, "metadata", what, 0, KNOWN_METADATA }

const struct known known_rows[] = {
	/*
	 * Destinations that mean something else outside than they mean inside: loopback
	 * outside is the host's own; link-local and multicast belong to a link that the tree
	 * is not on.
	 */
	NEVER("0.0.0.0",	   8, "unspecified", "an unspecified address"),	/* RFC 6890 2.2.2 */
	NEVER("::",		 128, "unspecified", "the unspecified address"), /* RFC 4291 2.5.2 */
	NEVER("127.0.0.0",	   8, "loopback",    "a loopback address"),	/* RFC 1122 3.2.1.3 */
	NEVER("::1",		 128, "loopback",    "the loopback address"),	/* RFC 4291 2.5.3 */
	NEVER("224.0.0.0",	   4, "multicast",   "a multicast address"),	/* RFC 5771 */
	NEVER("ff00::",		   8, "multicast",   "a multicast address"),	/* RFC 4291 2.7 */
	NEVER("255.255.255.255",  32, "broadcast",   "the broadcast address"),	/* RFC 919 7 */
	NEVER("fe80::",		  10, "link_local",  "a link-local address"),	/* RFC 4291 2.5.6 */
	NEVER(INSIDE_PREFIX4, INSIDE_PREFIX4_LEN, "inside", "the tree's own network"),
	NEVER(INSIDE_PREFIX6, INSIDE_PREFIX6_LEN, "inside", "the tree's own network"),

	/*
	 * Services that a cloud answers to each machine, often with credentials.  Sources: the
	 * provider's own page on instance metadata, by its title.
	 */
	/* AWS EC2, "Access instance metadata"; the same address at Google, Azure, Oracle,
	 * DigitalOcean, Hetzner, IBM, Huawei, OpenStack, CloudStack and others. */
	META4("169.254.169.254", "a cloud's metadata service"),
	META6("fd00:ec2::254",	"the AWS metadata service"),	/* the same page, on Nitro */
	/* ECS, "Task metadata endpoint"; EKS, "Set up the Pod Identity Agent" */
	META4("169.254.170.2",	"the AWS ECS task metadata service"),
	META4("169.254.170.23",	"the AWS EKS credential service"),
	META6("fd00:ec2::23",	"the AWS EKS credential service"),
	/* Compute Engine, "View and query VM metadata" */
	META6("fd20:ce::254",	"the Google metadata service"),
	META4("168.63.129.16",	"the Azure WireServer"),	/* Azure, "What is IP address 168.63.129.16?" */
	META4("100.100.100.200", "the Alibaba Cloud metadata service"), /* ECS, "Instance metadata" */
	META6("fd00:100::100:200", "the Alibaba Cloud metadata service"), /* the same page */
	/* Oracle Cloud Classic, "Retrieving instance metadata" */
	META4("192.0.0.192",	"the Oracle Cloud metadata service"),
	META6("fd00:c1::a9fe:a9fe", "the Oracle Cloud metadata service"), /* OCI, "Instance metadata" */
	META4("169.254.0.23",	"the Tencent Cloud metadata service"), /* CVM, metadata.tencentyun.com */
	META4("169.254.10.10",	"the Tencent Cloud metadata service"), /* the same name, other zones */
	META4("169.254.42.42",	"the Scaleway metadata service"), /* cloud-init, "Scaleway" data source */
	META6("fd00:42::42",	"the Scaleway metadata service"), /* the same page */
	META6("fd00:a9fe:a9fe::1", "the Linode metadata service"), /* Akamai, "Metadata service" */
	META6("fe80::a9fe:a9fe", "the OpenStack metadata service"), /* Nova, "Metadata service" */

	METANAME("metadata.google.internal", "the Google metadata service"), /* as above */
	METANAME("metadata.goog", "the Google metadata service"),	/* the same page */
	METANAME("metadata", "the Google metadata service"),	/* its short name, by search domain */
	METANAME("instance-data.ec2.internal", "the AWS metadata service"), /* in a VPC's own DNS */
	METANAME("instance-data", "the AWS metadata service"),	/* its short name */
	METANAME("metadata.tencentyun.com", "the Tencent Cloud metadata service"), /* CVM, "Metadata" */

	/* What --block-private has always covered, and the rest that no public host has. */
	PRIVATE("10.0.0.0",	  8, "a private address"),		/* RFC 1918 3 */
	PRIVATE("172.16.0.0",	 12, "a private address"),		/* RFC 1918 3 */
	PRIVATE("192.168.0.0",	 16, "a private address"),		/* RFC 1918 3 */
	PRIVATE("100.64.0.0",	 10, "a carrier's shared address"),	/* RFC 6598 7 */
	PRIVATE("127.0.0.0",	  8, "a loopback address"),		/* RFC 1122 3.2.1.3 */
	PRIVATE("169.254.0.0",	 16, "a link-local address"),		/* RFC 3927 2.1 */
	PRIVATE("0.0.0.0",	  8, "an unspecified address"),		/* RFC 6890 2.2.2 */
	PRIVATE("192.0.0.0",	 24, "an address of a protocol"),	/* RFC 6890 2.1 */
	PRIVATE("198.18.0.0",	 15, "a test network's address"),	/* RFC 2544 C.2.2 */
	PRIVATE("240.0.0.0",	  4, "a reserved address"),		/* RFC 1112 4 */
	PRIVATE("::",		128, "the unspecified address"),	/* RFC 4291 2.5.2 */
	PRIVATE("::1",		128, "the loopback address"),		/* RFC 4291 2.5.3 */
	PRIVATE("fc00::",	  7, "a unique local address"),		/* RFC 4193 3.1 */
	PRIVATE("fe80::",	 10, "a link-local address"),		/* RFC 4291 2.5.6 */
	PRIVATE("fec0::",	 10, "a site-local address"),		/* RFC 3879 4 */
	PRIVATE("64:ff9b:1::",	 48, "a local translator's address"),	/* RFC 8215 3 */
	PRIVATE("5f00::",	 16, "a segment identifier"),		/* RFC 9602 6 */
	PRIVATE("2001:2::",	 48, "a test network's address"),	/* RFC 5180 8 */
	PRIVATE("100::",	 64, "a discard-only address"),		/* RFC 6666 4 */
};

const size_t known_nrows = sizeof(known_rows) / sizeof(known_rows[0]);
