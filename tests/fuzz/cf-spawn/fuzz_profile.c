/*
 * fuzz_profile.c - any bytes as what cf-toml says: refused with a reason, or settings.
 *
 * What was taken is dumped: every line of a dump is a key, an item of a list or a
 * comment, whatever the texts hold; and as an untrusted profile it opens nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "profile.h"
#include "spawn.h"

static void
dump_check(const struct settings *s)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL || settings_dump(s, true, f) != NULL || fclose(f) != 0)
		abort();		/* JSON was UTF-8 */
	for (char *line = text, *end; *line != '\0'; line = end + 1) {
		if ((end = strchr(line, '\n')) == NULL)
			abort();
		if (*line != '#' && *line != ']' && *line != '\t' && (*line < 'a' || *line > 'z'))
			abort();
	}
	for (const char *p = text; *p != '\0'; p++)
		if (((uint8_t)*p < 0x20 && *p != '\n' && *p != '\t') || *p == 0x7f)
			abort();
	free(text);
}

/* With "deny" as the default and nothing allowed, a stranger cannot allow anything. */
static void
tighten_check(const struct settings *theirs)
{
	static const char *const opening[] = { "allow", "allow-cidr", "allow-domain",
	    "allow-domain-exact", "allow-file", "dns", "command", "run-as-root" };
	const struct origin o = { .from = FROM_COMMAND_LINE };
	char why[SETTINGS_WHY];
	struct settings s;

	if (!settings_init(&s, options_table))
		abort();
	settings_layer(&s);
	if (!settings_put(&s, settings_find_name(&s, "default-policy")->row, "deny", &o))
		abort();
	(void)settings_tighten(&s, theirs, why);
	if (!settings_default_deny(&s))
		abort();
	for (size_t i = 0; i < sizeof(opening) / sizeof(opening[0]); i++)
		if (settings_find_name(&s, opening[i])->n != 0)
			abort();
	settings_done(&s);
}

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct toml_value *parent;
	char why[PROFILE_WHY] = "";
	struct toml_error err;
	struct toml_doc doc;
	struct settings s;

	if (!toml_read((const char *)data, len, &doc, &err)) {
		if (err.text[0] == '\0' && err.line == 0)
			abort();
		toml_done(&doc);
		return 0;
	}
	if (!settings_init(&s, options_table))
		abort();
	settings_layer(&s);
	if (profile_parent(&doc, "/d/p", &parent, why) && profile_take(&s, &doc, "/d/p", "/d", why)) {
		dump_check(&s);
		tighten_check(&s);
	} else if (why[0] == '\0')
		abort();
	settings_done(&s);
	toml_done(&doc);
	return 0;
}
