/*
 * env.c - variables that the command does not get with --seal env.
 *
 * What opens something elsewhere: tokens, keys, passwords, and the names of agents that
 * have them.  By name, since nobody can tell a secret by its looks; a secret under an
 * innocent name stays, so this is a help and no promise.  What a program needs to find its
 * way (PATH, HOME, LANG, TERM) is never in it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "spawn.h"

extern char **environ;

static const struct {
	const char	*pattern, *what;	/* for fnmatch(3), whatever the case */
} dropped[] = {
	{ "*TOKEN",		"a token" },
	{ "*_TOKEN_*",		"the same" },
	{ "*SECRET*",		"a secret" },
	{ "*PASSWORD*",		"a password" },
	{ "*PASSWD*",		"the same" },
	{ "*PASSPHRASE*",	"the same" },
	{ "*_PASS",		"the same" },
	{ "*_PAT",		"a personal access token" },
	{ "*API_KEY*",		"a key of a service" },
	{ "*APIKEY*",		"the same" },
	{ "*ACCESS_KEY*",	"the same" },
	{ "*PRIVATE_KEY*",	"the same" },
	{ "*_AUTH",		"a login" },
	{ "*CREDENTIAL*",	"a login, or where it lies" },
	{ "*_COOKIE",		"a login of the web" },
	{ "AWS_*",		"keys, roles and profiles of Amazon's cloud" },
	{ "AZURE_*",		"of Microsoft's" },
	{ "GOOGLE_*",		"of Google's" },
	{ "CLOUDSDK_*",		"the same" },
	{ "KUBECONFIG",		"a cluster" },
	{ "VAULT_*",		"a store of secrets" },
	{ "NETRC",		"logins, by host" },
	{ "DATABASE_URL",	"a database, with its password" },
	{ "*_DSN",		"the same" },
	{ "PGPASSFILE",		"the same" },
	{ "SSH_AUTH_SOCK",	"an agent" },
	{ "SSH_AGENT_PID",	"the same" },
	{ "SSH_ASKPASS",	"a program that asks for a password" },
	{ "GIT_ASKPASS",	"the same" },
	{ "SUDO_ASKPASS",	"the same" },
	{ "GPG_AGENT_INFO",	"an agent" },
	{ "GNOME_KEYRING_*",	"the same" },
	{ "DBUS_*_ADDRESS",	"a bus" },
	{ "DOCKER_*",		"a service that starts processes, and its login" },
	{ "CONTAINER_HOST",	"the same" },
	{ "BUILDKIT_HOST",	"the same" },
	{ "DISPLAY",		"other programs' windows" },
	{ "WAYLAND_*",		"the same" },
	{ "XAUTHORITY",		"the same" },
	{ "TMUX*",		"a terminal's server" },
	{ "STY",		"the same" },
	{ "VSCODE_*",		"an editor outside, which obeys" },
	{ "KITTY_LISTEN_ON",	"the same, a terminal" },
	{ "KRB5CCNAME",		"tickets" },
};

static bool
is_dropped(const char *name)
{
	for (size_t i = 0; i < sizeof(dropped) / sizeof(dropped[0]); i++)
		if (fnmatch(dropped[i].pattern, name, FNM_CASEFOLD) == 0)
			return true;
	return false;
}

void
env_drop(const struct conf *conf)
{
	char name[256];
	char **variable = environ;

	if ((conf->seal.parts & SEAL_ENV) == 0 || environ == NULL)
		return;
	while (*variable != NULL) {
		size_t len = strcspn(*variable, "=");

		if (len < sizeof(name)) {
			memcpy(name, *variable, len);
			name[len] = '\0';
			if (is_dropped(name) && unsetenv(name) == 0) {
				log_info("the command does not get %s", name);
				continue;	/* the next one stands here now */
			}
		}
		variable++;
	}
}
