/*
 * pcap.c - the command line and the life of `cf-doctor pcap`; see pcap.h.
 *
 * Exit: 0 the file is sound, 1 it is not, or could not be read, 2 wrong command line.
 *
 * SPDX-License-Identifier: MIT
 */
#include "pcap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "cli.h"
#include "flowlog.h"
#include "log.h"

struct options {
	bool	json, print;
};

static const struct cli	cli;

CLI_SET(options, json, cli_text_or_json)
CLI_SET(options, print, cli_true)
CLI_SET_TOLD(cli)

static const struct cli_option options[] = {
	{ 0,   "format",  "FORM", set_json,    "text (the default) or json" },
	{ 'h', "help",	  NULL,	  set_help,    "print this" },
	{ 'n', "check",	  NULL,	  set_print,   "print what the sandbox allows, and exit" },
	{ 'V', "version", NULL,	  set_version, "print the version" },
	{ 0,   NULL,	  NULL,	  NULL,	       NULL }
};

static const struct cli cli = {
	"cf-doctor pcap", "[options] FILE.pcapng",
	"Check a capture, and say what each flow of it holds (- is the standard input).",
	options
};

static bool
read_all(struct pcap *p, int fd, const char *path)
{
	static uint8_t buf[256 * 1024];
	char shown[1024];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1) {
			log_warn("cannot read %s", log_escape(shown, sizeof(shown), path));
			return false;
		}
		pcap_feed(p, buf, (size_t)n);
	}
	pcap_end(p);
	return true;
}

static bool
tell(const struct pcap *p, const char *path, bool json, int fd)
{
	json_t *model = pcap_model(p, path);
	char *text = model == NULL ? NULL : json ?
	    json_dumps(model, JSON_INDENT(2) | JSON_ENSURE_ASCII) : pcap_text(model);
	bool ok = text != NULL && flowlog_print(fd, text) && (!json || flowlog_print(fd, "\n"));

	if (text == NULL)
		log_warnx("cannot tell the result: out of memory");
	free(text);
	json_decref(model);
	return ok;
}

int
pcap_main(int argc, char **argv)
{
	struct options o = { .json = false };
	int at = cli_parse(&cli, &o, argc, argv, 2), in_fd, out_fd;
	struct pcap *p;
	uint64_t seed;
	bool ok;

	if (o.print) {
		sandbox_print(flowlog_sandbox);
		return 0;
	}
	if (at + 1 != argc) {
		log_fatal_status(2);
		fatalx("%s (try: cf-doctor pcap --help)", at == argc ? "no capture is named" :
		    "one capture at a time");
	}
	flowlog_open(argv[at]);
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed) || (p = pcap_new(seed, PCAP_FLOWS)) == NULL)
		fatalx("out of memory");
	flowlog_seal(&in_fd, &out_fd, &flowlog_role);
	ok = read_all(p, in_fd, argv[at]) && tell(p, argv[at], o.json, out_fd) && p->n_errors == 0;
	pcap_free(p);
	return ok ? 0 : 1;
}
