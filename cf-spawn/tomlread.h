/*
 * tomlread.h - what cf-toml made of a profile, taken apart and not believed.
 *
 * On the other side is a process that parsed a file which anybody may have written; toml.cc
 * says what it writes.  What is not exactly that is refused as a whole.
 *
 * Pure but for memory.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_TOMLREAD_H
#define CF_TOMLREAD_H

#include <stdbool.h>
#include <stddef.h>

#define TOMLREAD_FILE_MAX	(1 << 20)	/* bytes of a profile */
#define TOMLREAD_KEYS_MAX	512
#define TOMLREAD_ITEMS_MAX	65536		/* of one list */
#define TOMLREAD_JSON_MAX	(32 << 20)	/* the items of the largest file, each with its place */
#define TOMLREAD_WHY		512

enum toml_type { TOML_STRING, TOML_INTEGER, TOML_BOOLEAN, TOML_LIST, TOML_OTHER };

struct toml_value {
	enum toml_type	 type;
	unsigned	 line, column;
	const char	*text;		/* of a string; of the others the name of the type */
	long long	 number;	/* of an integer */
	bool		 on;		/* of a boolean */
	struct toml_value *item;	/* of a list */
	size_t		 n;
};

struct toml_key {
	const char	*name;
	unsigned	 line, column;
	struct toml_value value;
};

struct toml_doc {
	struct toml_key	*key;		/* in the order of their places in the file */
	size_t		 n;
	void		*json;		/* owns the texts */
};

struct toml_error {
	char		 text[TOMLREAD_WHY];
	unsigned	 line, column;	/* 0: it is not the profile that is wrong, but its JSON */
};

/* False: *err is filled.  Then as after true toml_done() may be called. */
bool	toml_read(const char *json, size_t len, struct toml_doc *out, struct toml_error *err);
void	toml_done(struct toml_doc *);

#endif
