/*
 * fuzz_name.c - names from every side.  The first byte says which.
 *
 * Whatever comes out is in normal form: it has only the characters of that form, and reading
 * it again changes nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "idn.h"
#include "name.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_plain(const char *name)
{
	char again[NAME_STRLEN];
	struct name_error err;

	if (!name_from_ascii(name, strlen(name), again, &err) || strcmp(name, again) != 0)
		abort();
}

/* Labels of the text are labels of the message: as many, and no byte is lost. */
static void
check_wire(const uint8_t *msg, size_t len)
{
	char name[NAME_STRLEN];
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.\\";
	size_t off = 0, labels = 0, dots = 0, bytes = 0;

	if (name_from_message(msg, len, &off, name) != NULL)
		return;
	if (off > len || off == 0 || name[strspn(name, plain)] != '\0')
		abort();
	for (const char *p = name; *p != '\0'; p += *p == '\\' ? 4 : 1) {
		dots += *p == '.';
		bytes += *p != '.';
	}
	for (size_t i = 0; i < len && msg[i] != 0 && msg[i] < 64; i += 1 + msg[i], labels++)
		bytes -= bytes < msg[i] ? 0 : msg[i];
	if (off > 1 && msg[off - 1] == 0 && (labels != dots + 1 || bytes != 0))
		abort();
}

static void
check_host(const char *why, const struct name_host *host)
{
	if (why == NULL && !host->is_addr)
		check_plain(host->name);
	if (why == NULL && host->is_addr && host->addr.port != host->port)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct name_host host;
	struct name_error err;
	char name[NAME_STRLEN];

	if (len == 0)
		return 0;
	switch (data[0] % 4) {
	case 0:
		check_wire(data + 1, len - 1);
		break;
	case 1:
		check_host(name_from_host((const char *)data + 1, len - 1, &host), &host);
		break;
	case 2:
		check_host(name_from_sni(data + 1, len - 1, &host), &host);
		break;
	default:
		if (idn_name((const char *)data + 1, len - 1, name, &err))
			check_plain(name);
		else if (err.at > len)
			abort();
	}
	return 0;
}
