/*
 * profile.c - see profile.h.  Finding profiles, and their parents.
 *
 * SPDX-License-Identifier: MIT
 */
#include "profile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYSTEM_DIR	"/etc/childflow"
#define SUFFIX		".toml"

/* Who asked for a profile: the files on the way from the first one. */
struct chain {
	const char	*path;
	dev_t		 dev;
	ino_t		 ino;
	const struct chain *child;	/* NULL: the first one */
};

/* ---- where it is ---- */

static bool
is_path(const char *word)
{
	size_t len = strlen(word), suffix = strlen(SUFFIX);

	return strchr(word, '/') != NULL || (len > suffix &&
	    strcmp(word + len - suffix, SUFFIX) == 0);
}

static bool
is_name(const char *word)
{
	return word[0] != '\0' && word[0] != '.' && strlen(word) <= 100 && word[strspn(word,
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")] == '\0';
}

/* NAME.toml of the user or of the system. */
static bool
find_name(const char *name, char path[PROFILE_PATH_MAX], char *why)
{
	char dir[PROFILE_PATH_MAX - 128] = "", whole[PROFILE_PATH_MAX];

	if (!is_name(name)) {
		snprintf(why, PROFILE_WHY, "%.200s is not the name of a profile (letters, digits, "
		    "'-', '_' and '.'; a path has a '/' in it)", name);
		return false;
	}
	if (trust_config_dir(whole) && strlen(whole) < sizeof(dir)) {
		memcpy(dir, whole, strlen(whole) + 1);
		snprintf(path, PROFILE_PATH_MAX, "%s/%s" SUFFIX, dir, name);
		if (access(path, F_OK) == 0)
			return true;
	}
	snprintf(path, PROFILE_PATH_MAX, SYSTEM_DIR "/%s" SUFFIX, name);
	if (access(path, F_OK) == 0)
		return true;
	snprintf(why, PROFILE_WHY, "there is no profile %s in %.900s%s" SYSTEM_DIR " (for a file here "
	    "write ./%s)", name, dir, dir[0] != '\0' ? " or " : "", name);
	return false;
}

/* dir: to which a path is relative; NULL: the working directory. */
static bool
find(const char *word, const char *dir, char path[PROFILE_PATH_MAX], char *why)
{
	char cwd[PROFILE_PATH_MAX];

	if (!is_path(word))
		return find_name(word, path, why);
	if (dir == NULL && word[0] != '/' && (dir = getcwd(cwd, sizeof(cwd))) == NULL) {
		snprintf(why, PROFILE_WHY, "cannot tell the working directory: %s", strerror(errno));
		return false;
	}
	if (profile_path(dir != NULL ? dir : "/", word, path))
		return true;
	snprintf(why, PROFILE_WHY, "the path of the profile %.200s is too long", word);
	return false;
}

/* ---- reading it, and what it extends ---- */

/* A profile at hand. */
struct profile {
	struct chain	 link;
	char		 path[PROFILE_PATH_MAX], dir[PROFILE_PATH_MAX];
	char		*text;
	size_t		 len;
	struct toml_doc	 doc;
};

static bool
in_place(const char *file, const struct toml_value *v, const char *reason, char *why)
{
	char text[PROFILE_WHY];		/* the reason may stand in why */

	snprintf(text, sizeof(text), "%s", reason);
	snprintf(why, PROFILE_WHY, "%.600s:%u:%u: " PROFILE_EXTENDS ": %.1200s", file, v->line,
	    v->column, text);
	return false;
}

/* Is it one of those that led here?  Inheritance ends somewhere. */
static bool
chain_ok(const struct profile *p, char *why)
{
	unsigned depth = 0;

	for (const struct chain *c = p->link.child; c != NULL; c = c->child) {
		if (c->dev == p->link.dev && c->ino == p->link.ino) {
			snprintf(why, PROFILE_WHY, "profile inheritance cycle detected: %.900s leads back "
			    "to %.900s", p->link.child->path, p->path);
			return false;
		}
		if (++depth >= PROFILE_DEPTH_MAX) {
			snprintf(why, PROFILE_WHY, "profiles extend each other over more than %d steps",
			    PROFILE_DEPTH_MAX);
			return false;
		}
	}
	return true;
}

/* The bytes of the file p->path. */
static bool
profile_open(struct profile *p, const struct chain *child, char *why)
{
	struct stat st = { 0 };
	char *slash;

	memcpy(p->dir, p->path, sizeof(p->dir));
	if ((slash = strrchr(p->dir, '/')) != NULL)
		slash[slash == p->dir ? 1 : 0] = '\0';
	p->link = (struct chain){ .path = p->path, .child = child };
	if (stat(p->path, &st) == 0) {
		p->link.dev = st.st_dev;
		p->link.ino = st.st_ino;
	}
	if (!chain_ok(p, why))
		return false;
	return (p->text = profile_read(p->path, &p->len, why)) != NULL;
}

static bool
profile_parse(struct profile *p, char *why)
{
	struct toml_error err;

	if (profile_convert(p->text, p->len, &p->doc, &err))
		return true;
	if (err.line != 0)
		snprintf(why, PROFILE_WHY, "%.900s:%u:%u: %s", p->path, err.line, err.column, err.text);
	else
		snprintf(why, PROFILE_WHY, "%.900s: %s", p->path, err.text);
	return false;
}

static void
profile_done(struct profile *p)
{
	toml_done(&p->doc);
	free(p->text);
	free(p);
}

/* Values point at the name of their file for as long as the process lives. */
static const char *
name_kept(const char *path, char *why)
{
	static struct kept {
		struct kept	*next;
		char		 path[];
	} *names;
	size_t len = strlen(path) + 1;
	struct kept *name = malloc(sizeof(*name) + len);

	if (name == NULL) {
		snprintf(why, PROFILE_WHY, "out of memory");
		return NULL;
	}
	memcpy(name->path, path, len);
	name->next = names;
	names = name;
	return name->path;
}

static bool	take_with_parents(struct settings *, struct profile *, bool trusted_only, char *why);

static bool
take_parent(struct settings *s, const struct profile *child, const struct toml_value *v,
    bool trusted_only, char *why)
{
	struct profile *p = calloc(1, sizeof(*p));
	bool ok = p != NULL && find(v->text, child->dir, p->path, why) &&
	    profile_open(p, &child->link, why);

	if (p == NULL)
		snprintf(why, PROFILE_WHY, "out of memory");
	/* Those that are found by name are the user's or the system's already. */
	if (ok && trusted_only && is_path(v->text) && !trust_has(p->path, p->text, p->len)) {
		ok = false;
		snprintf(why, PROFILE_WHY, "%.900s is not trusted (read it, then: cf-spawn --trust "
		    "%.900s)", p->path, p->path);
	}
	if (!ok)
		in_place(child->path, v, why, why);
	else
		ok = take_with_parents(s, p, trusted_only, why);
	if (p != NULL)
		profile_done(p);
	return ok;
}

static bool
take_with_parents(struct settings *s, struct profile *p, bool trusted_only, char *why)
{
	const struct toml_value *parent;
	const char *file;

	if (!profile_parse(p, why) || (file = name_kept(p->path, why)) == NULL ||
	    !profile_parent(&p->doc, file, &parent, why) ||
	    (parent != NULL && !take_parent(s, p, parent, trusted_only, why)))
		return false;
	settings_layer(s);
	return profile_take(s, &p->doc, file, p->dir, why);
}

bool
profile_load(struct settings *s, const char *word, char *why)
{
	struct profile *p = calloc(1, sizeof(*p));
	bool ok = p != NULL;

	if (!ok)
		snprintf(why, PROFILE_WHY, "out of memory");
	ok = ok && find(word, NULL, p->path, why) && profile_open(p, NULL, why) &&
	    take_with_parents(s, p, false, why);
	if (p != NULL)
		profile_done(p);
	return ok;
}

/* ---- the local one ---- */

/* Alone: what is not trusted does not say which other file is read. */
static bool
take_untrusted(struct settings *theirs, struct profile *p, char *why)
{
	const struct toml_value *parent;
	const char *file;

	if (!profile_parse(p, why) || (file = name_kept(p->path, why)) == NULL ||
	    !profile_parent(&p->doc, file, &parent, why))
		return false;
	if (parent != NULL) {
		snprintf(why, PROFILE_WHY, "a profile that is not trusted cannot extend another "
		    "(read it, then: cf-spawn --trust %.900s)", file);
		return in_place(file, parent, why, why);
	}
	settings_layer(theirs);
	return profile_take(theirs, &p->doc, file, p->dir, why);
}

bool
profile_load_local(struct settings *s, struct settings *theirs, bool *out_untrusted, char *why)
{
	struct profile *p;
	struct stat st = { 0 };
	bool ok;

	*out_untrusted = false;
	if (stat(PROFILE_LOCAL, &st) != 0 && errno == ENOENT)
		return true;
	if (!S_ISREG(st.st_mode)) {	/* a FIFO would keep us waiting */
		snprintf(why, PROFILE_WHY, "%s is not a file", PROFILE_LOCAL);
		return false;
	}
	if ((p = calloc(1, sizeof(*p))) == NULL) {
		snprintf(why, PROFILE_WHY, "out of memory");
		return false;
	}
	ok = find("./" PROFILE_LOCAL, NULL, p->path, why) && profile_open(p, NULL, why);
	*out_untrusted = ok && !trust_has(p->path, p->text, p->len);
	if (ok && *out_untrusted)
		ok = take_untrusted(theirs, p, why);
	else if (ok)
		ok = take_with_parents(s, p, true, why);
	profile_done(p);
	return ok;
}
