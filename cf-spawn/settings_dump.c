/*
 * settings_dump.c - the settings as a profile that says where each value came from.
 *
 * What is printed can be read back and means the same: texts are TOML 1.0 basic strings,
 * comments hold nothing but printable characters.  Secrets are a comment without their
 * value unless they were asked for.  The settings that childflow always shows are shown
 * with their default where nobody said anything.  Pure but for the stream.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>
#include <string.h>

#include "idn.h"
#include "log.h"
#include "settings.h"

#define ORIGIN_LEN	4200
#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

static const char *
default_policy(const struct settings *s)
{
	return settings_default_deny(s) ? "deny" : "allow";
}

static const char *
default_backend(const struct settings *s)
{
	(void)s;
	return "rootless-internal";
}

static const char *
default_capture_point(const struct settings *s)
{
	(void)s;
	return "child";
}

/* What childflow's --dump-profile always prints. */
static const struct {
	const char	*name;		/* of the option */
	const char	*(*text)(const struct settings *);
} shown_always[] = {
	{ "default-policy", default_policy },
	{ "network-backend", default_backend },
	{ "capture-point", default_capture_point },
};

/* TOML 1.0, "String": a basic string. */
static void
string(const char *text, FILE *out)
{
	putc('"', out);
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			fprintf(out, "\\%c", *text);
		else if ((uint8_t)*text < 0x20 || *text == 0x7f)
			fprintf(out, "\\u%04X", (unsigned)(uint8_t)*text);
		else
			putc(*text, out);
	}
	putc('"', out);
}

static void
origin(const struct setting *one, const struct origin *from, FILE *out)
{
	char raw[ORIGIN_LEN], shown[ORIGIN_LEN];

	fprintf(out, "\t# %s\n", log_escape(shown, sizeof(shown),
	    settings_origin(one->row, from, raw, sizeof(raw))));
}

/* A number as its kind may be written; "010" and " 1" are texts. */
static bool
is_number(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && len < 18 && strspn(text, "0123456789") == len &&
	    (text[0] != '0' || len == 1);
}

static void
value(const struct setting *one, const char *text, FILE *out)
{
	enum cli_kind kind = cli_kind(one->row);

	if ((kind == CLI_NUMBER || kind == CLI_AMOUNT) && is_number(text))
		fputs(text, out);
	else
		string(text, out);
}

static void
dump_list(const struct setting *one, const char *key, FILE *out)
{
	fprintf(out, "%s = [", key);
	if (one->n == 0)
		putc(']', out);
	origin(one, &one->origin, out);
	for (size_t i = 0; i < one->n; i++) {
		putc('\t', out);
		value(one, one->value[i].text, out);
		putc(',', out);
		origin(one, &one->value[i].origin, out);
	}
	if (one->n > 0)
		fputs("]\n", out);
}

static void
dump_scalar(const struct setting *one, const char *key, FILE *out)
{
	const struct setting_value *v = one->n > 0 ? &one->value[one->n - 1] : NULL;

	switch (cli_kind(one->row)) {
	case CLI_SWITCH:
		fprintf(out, "%s = %s", key, v != NULL ? "true" : "false");
		break;
	case CLI_COUNTER:
		fprintf(out, "%s = %zu", key, one->n);
		break;
	default:
		if (v == NULL) {		/* --no-OPTION of a text: nothing to be read back */
			fprintf(out, "# %s is not set", key);
			break;
		}
		fprintf(out, "%s = ", key);
		value(one, v->text, out);
		break;
	}
	origin(one, v != NULL ? &v->origin : &one->origin, out);
}

static void
dump_secret(const struct setting *one, const char *key, FILE *out)
{
	if (one->n == 0)
		return;
	fprintf(out, "# %s is set, and shown with --dump-secrets", key);
	origin(one, &one->origin, out);
}

static void
dump_default(const struct settings *s, const struct setting *one, const char *key, FILE *out)
{
	for (size_t i = 0; i < COUNT(shown_always); i++)
		if (strcmp(shown_always[i].name, one->row->name) == 0)
			fprintf(out, "%s = \"%s\"\t# default\n", key, shown_always[i].text(s));
}

/* TOML is UTF-8; an argument need not be. */
static bool
all_utf8(const struct setting *one)
{
	size_t at;

	for (size_t i = 0; i < one->n; i++)
		if (one->value[i].text != NULL &&
		    !idn_utf8_ok(one->value[i].text, strlen(one->value[i].text), &at))
			return false;
	return true;
}

const char *
settings_dump(const struct settings *s, bool secrets, FILE *out)
{
	char key[CLI_NAME_LEN];

	for (size_t i = 0; i <= s->nrows; i++)
		if (!all_utf8(&s->at[i]))
			return "a value is not UTF-8, so it cannot stand in a profile";
	for (size_t i = 0; i <= s->nrows; i++) {
		const struct setting *one = &s->at[i];

		if (!cli_has_key(one->row))
			continue;
		cli_key(one->row, key);
		if (one->layer == 0)
			dump_default(s, one, key, out);
		else if ((one->row->flags & CLI_SECRET) != 0 && !secrets)
			dump_secret(one, key, out);
		else if ((one->row->flags & CLI_LIST) != 0)
			dump_list(one, key, out);
		else
			dump_scalar(one, key, out);
	}
	return NULL;
}
