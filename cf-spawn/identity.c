/*
 * identity.c - as whom the command and the helpers run, and without which powers.
 *
 * An ordinary user stays who he is.  Root must step down: a process of uid 0 can write
 * root's files even without a capability, so under sudo the command runs as the user who
 * called sudo, and plain root says which user it should be (--user) or that it really
 * shall stay root (--run-as-root).  Helpers of root run as the command's user, or as
 * "nobody" where that is root.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "caps.h"
#include "log.h"
#include "spawn.h"

/* Does this id exist in our user namespace?  (In a container, most do not.) */
static bool
id_mapped(const char *map_file, unsigned long id)
{
	FILE *f = fopen(map_file, "re");
	unsigned long first, outside, count;
	bool found = false;

	if (f == NULL)
		return true;		/* no user namespaces in this kernel: all exist */
	while (!found && fscanf(f, "%lu %lu %lu", &first, &outside, &count) == 3)
		found = id >= first && id - first < count;
	fclose(f);
	return found;
}

static void
take_passwd(struct identity *id, const struct passwd *pw)
{
	id->uid = pw->pw_uid;
	id->gid = pw->pw_gid;
	id->name = strdup(pw->pw_name);
	id->home = strdup(pw->pw_dir);
	id->shell = strdup(pw->pw_shell);
	if (id->name == NULL || id->home == NULL || id->shell == NULL)
		fatal("cannot remember user %s", pw->pw_name);
}

/* The user that sudo was called by; NULL where that was root, or it was not sudo. */
static const struct passwd *
sudo_user(void)
{
	const char *text = getenv("SUDO_UID");
	char *end;
	unsigned long uid;

	if (text == NULL || *text == '\0')
		return NULL;
	uid = strtoul(text, &end, 10);
	if (*end != '\0' || uid == 0)
		return NULL;
	return getpwuid((uid_t)uid);
}

/* Root in name only, as inside a run with --run-as-root, has no capability. */
static bool
may_change_user(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	return syscall(SYS_capget, &header, data) != 0 ||
	    (data[0].effective >> CAP_SETUID & 1) != 0;
}

void
identity_find(struct identity *id, const struct conf *conf)
{
	const struct passwd *pw = NULL;

	*id = (struct identity){ .uid = getuid(), .gid = getgid() };
	if (geteuid() != 0) {
		if (conf->user != NULL || conf->run_as_root)
			fatalx("--%s is for root: you are uid %u (leave it out)",
			    conf->user != NULL ? "user" : "run-as-root", (unsigned)geteuid());
		if (geteuid() != getuid() || getegid() != getgid())
			fatalx("must not be installed set-user-id or set-group-id");
		return;
	}
	if (conf->map_root)
		fatalx("--map-root is for an ordinary user, and you are root (try: runuser -u NAME -- "
		    "cf-spawn --map-root ...; or --run-as-root, which is uid 0 inside and outside)");
	if (!may_change_user())		/* since Linux 5.12 uid 0 may not be mapped then */
		fatalx("you are root without capabilities, as inside a run with --run-as-root, and "
		    "the kernel gives no namespace to that: be an ordinary user (--user there)");
	id->privileged = true;
	if (conf->user != NULL && (pw = getpwnam(conf->user)) == NULL)
		fatalx("--user %s: no such user", conf->user);
	if (pw == NULL && !conf->run_as_root && (pw = sudo_user()) == NULL)
		fatalx("root must say as whom the command runs: --user NAME (an ordinary user who "
		    "can read its files), or --run-as-root");
	if (pw != NULL && pw->pw_uid == 0 && !conf->run_as_root)
		fatalx("--user %s is root: say --run-as-root if you mean it", pw->pw_name);
	if (pw != NULL)
		take_passwd(id, pw);
	id->helper_uid = pw != NULL ? id->uid : 65534;
	id->helper_gid = pw != NULL ? id->gid : 65534;
	id->helper_switch = id_mapped("/proc/self/uid_map", id->helper_uid) &&
	    id_mapped("/proc/self/gid_map", id->helper_gid);
}

int
identity_become(const struct identity *id)
{
	if (id->name == NULL)
		return 0;
	if (initgroups(id->name, id->gid) != 0 || setresgid(id->gid, id->gid, id->gid) != 0 ||
	    setresuid(id->uid, id->uid, id->uid) != 0)
		return -1;
	setenv("HOME", id->home, 1);
	setenv("USER", id->name, 1);
	setenv("LOGNAME", id->name, 1);
	setenv("SHELL", id->shell, 1);
	unsetenv("SUDO_UID");
	unsetenv("SUDO_GID");
	unsetenv("SUDO_USER");
	unsetenv("SUDO_COMMAND");
	return 0;
}

int
identity_become_helper(const struct identity *id)
{
	if (!id->helper_switch)
		return 0;
	if (id->name != NULL ? initgroups(id->name, id->gid) != 0 : setgroups(0, NULL) != 0)
		return -1;
	if (setresgid(id->helper_gid, id->helper_gid, id->helper_gid) != 0 ||
	    setresuid(id->helper_uid, id->helper_uid, id->helper_uid) != 0)
		return -1;
	return 0;
}

int
identity_bound_caps(unsigned long long keep)
{
	return caps_bound(keep);
}

int
identity_drop_caps(unsigned long long keep)
{
	return caps_drop(keep);
}
