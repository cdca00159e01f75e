/*
 * profile.h - profiles: files of settings, by path or by name.
 *
 *	--profile FILE		a word with a '/' in it, or that ends in ".toml"
 *	--profile NAME		$XDG_CONFIG_HOME/childflow/NAME.toml, /etc/childflow/NAME.toml
 *	--profile-local		.childflow.toml of the working directory, if there is one
 *
 * The file is read here, converted by cf-toml, and each key held against the table of
 * options.  `extends` names the parent, which is read first.  A local profile has its word
 * like any other where its bytes are trusted (trust.c), and otherwise only a tightening
 * one (tighten.c).  Nothing is opened where no profile was asked for.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_PROFILE_H
#define CF_PROFILE_H

#include "settings.h"
#include "sha256.h"
#include "tomlread.h"

#define PROFILE_LOCAL		".childflow.toml"
#define PROFILE_EXTENDS		"extends"
#define PROFILE_DEPTH_MAX	16		/* parents of parents */
#define PROFILE_PATH_MAX	4096
#define PROFILE_WHY		SETTINGS_WHY

/* Each puts what a profile says into s as layers; false and why. */
bool	profile_load(struct settings *s, const char *file_or_name, char *why);
/*
 * The local profile, if there is one and it is trusted, the same; *out_untrusted is true
 * when there is one that is not: then theirs (empty before) has what it says.
 */
bool	profile_load_local(struct settings *s, struct settings *theirs, bool *out_untrusted,
	    char *why);

/* ---- profile_key.c, pure: one document into settings ---- */

/* dir: of the profile, to which its paths are relative.  file outlives the settings. */
bool	profile_take(struct settings *s, const struct toml_doc *, const char *file, const char *dir,
	    char *why);
/* What it extends; *out is NULL where nothing. */
bool	profile_parent(const struct toml_doc *, const char *file, const struct toml_value **out,
	    char *why);
/* dir/path without "." and ".." in it, or path where it is absolute.  False: too long. */
bool	profile_path(const char *dir, const char *path, char out[PROFILE_PATH_MAX]);

/* ---- convert.c: cf-toml ---- */

/* All of a file, up to TOMLREAD_FILE_MAX; from malloc().  NULL and why. */
char	*profile_read(const char *path, size_t *len, char *why);
/* False: err. */
bool	profile_convert(const char *text, size_t len, struct toml_doc *, struct toml_error *err);

/* ---- trust.c ---- */

/* $XDG_CONFIG_HOME/childflow or what stands for it; false: there is no home. */
bool	trust_config_dir(char out[PROFILE_PATH_MAX]);
/* Did the user say that this file, with these bytes, is his own word? */
bool	trust_has(const char *path, const void *bytes, size_t len);
/* Remember it; false and why. */
bool	trust_add(const char *path, char *why);

#endif
