/*
 * helpgroups.c - the pages of --help, none longer than a screen.  An option that no page names is on
 * the last.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli.h"
#include "ruleopts.h"
#include "spawn.h"

const struct cli_group options_groups[] = {
	{ NULL, "what is used most",
	  "allow block-private proxy capture flow-log summary profile dry-run verbose" },
	RULEOPTS_GROUP,
	{ "limits", "quotas, encrypted DNS, QUIC, ports of this host",
	  "quota deny-answer block-encrypted-dns allow-encrypted-dns quic host-port fail-on-leak" },
	{ "names", "resolvers and hosts files",
	  "dns dns-mode dns-cache hosts-file add-host" },
	{ "proxy", "an upstream proxy",
	  "proxy proxy-user proxy-password proxy-password-file proxy-ca proxy-insecure proxy-names "
	  "proxy-only no-proxy dns-direct udp-direct icmp-direct proxy-timeout connect-timeout" },
	{ "capture", "packets to a file",
	  "capture capture-point capture-filter snaplen capture-segment capture-keys capture-rotate "
	  "capture-keep capture-overflow" },
	{ "record", "what the run did",
	  "flow-log flow-updates monitor summary summary-format learn learn-threshold report "
	  "report-format" },
	{ "runs", "runs by name, supervisors, namespaces of others",
	  "name list list-format join attach print-plan ready-fd status-fd exit-fd" },
	{ "rights", "who the command is, and what else is closed",
	  "user run-as-root map-subids map-root cap-net-raw keep-fd seal allow-socket strict writable" },
	{ "profile", "settings from files, see cf-profile(5)",
	  "profile profile-local trust dump-profile dump-secrets" },
	{ "run", "helpers of your own, checks, and all else", NULL },
	{ 0 }
};
