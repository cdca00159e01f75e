/*
 * test_host.c - what checks make of a host's files, for hosts that are made here.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doctor.h"

#define LEN(a)	(sizeof(a) / sizeof((a)[0]))

static char	root[64];

/* A file below the root, with the directories above it. */
static void
put(const char *path, const char *text)
{
	char full[PATH_MAX];
	FILE *f;

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (char *p = full + strlen(root) + 1; (p = strchr(p, '/')) != NULL; *p++ = '/') {
		*p = '\0';
		mkdir(full, 0700);
	}
	ck_assert_ptr_nonnull(f = fopen(full, "w"));
	fputs(text, f);
	ck_assert_int_eq(fclose(f), 0);
}

static void
setup(void)
{
	snprintf(root, sizeof(root), "/tmp/test_host.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	doctor_root = root;
	unsetenv("TMPDIR");
}

static void
teardown(void)
{
	char command[128];

	doctor_root = "";
	snprintf(command, sizeof(command), "rm -rf %s", root);
	ck_assert_int_eq(system(command), 0);
}

static struct finding
found(const char *name)
{
	struct finding f = { 0 };

	for (const struct check *c = checks; c->name != NULL; c++)
		if (strcmp(c->name, name) == 0) {
			c->run(&f);
			return f;
		}
	ck_abort_msg("no check %s", name);
}

/* checks that end well or not by one file; as: 0 whoever, 1 not for root */
static const struct { const char *check, *path, *text; bool ok, not_root; const char *says; } files[] = {
	{ "quota", "/none", "", true, false, "no such limits" },
	{ "quota", "/proc/sys/user/max_user_namespaces", "0\n", false, false, "is 0" },
	{ "quota", "/proc/sys/user/max_net_namespaces", "0\n", false, false, "max_net_namespaces" },
	{ "quota", "/proc/sys/user/max_user_namespaces", "15000\n", true, false, "user=15000" },
	{ "settings", "/none", "", true, false, "no such switch" },
	{ "settings", "/proc/sys/kernel/unprivileged_userns_clone", "1\n", true, false, "is 1" },
	{ "settings", "/proc/sys/kernel/unprivileged_userns_clone", "0\n", false, true, "only root" },
	{ "apparmor", "/proc/self/attr/apparmor/current", "box (enforce)\n", true, false,
	  "label: box (enforce)" },
	{ "selinux", "/none", "", true, false, "not there" },
	{ "selinux", "/sys/fs/selinux/enforce", "0", true, false, "only warns" },
	{ "resolvers", "/etc/resolv.conf", "search x\n", false, false, "names no resolver" },
	{ "resolvers", "/etc/resolv.conf", "nameserver 192.0.2.1\n", true, false, "192.0.2.1" },
	{ "resolvers", "/none", "", false, false, "cannot read" },
	{ "dns", "/none", "", false, false, "no resolver to ask" },
	{ "leftovers", "/none", "", true, false, "nothing" },
};

START_TEST(file_decides)
{
	struct finding f;

	if (files[_i].not_root && geteuid() == 0)
		return;
	put(files[_i].path, files[_i].text);
	f = found(files[_i].check);
	ck_assert_msg(f.ok == files[_i].ok, "%s: %s", files[_i].check, f.detail);
	ck_assert_msg(strstr(f.detail, files[_i].says) != NULL, "%s: %s", files[_i].check, f.detail);
	ck_assert_int_eq(f.hint[0] == '\0', f.ok);
}
END_TEST

static const struct { const char *path, *text, *name; } containers[] = {
	{ "/.dockerenv", "", "Docker" },
	{ "/run/.containerenv", "", "Podman" },
	{ "/proc/self/cgroup", "0::/docker/0123\n", "Docker" },
	{ "/proc/self/cgroup", "0::/kubepods.slice/x\n", "Kubernetes" },
	{ "/var/run/secrets/kubernetes.io/x", "", "Kubernetes" },
	{ "/proc/self/cgroup", "0::/lxc.payload.one\n", "LXC" },
	{ "/run/systemd/container", "lxc\n", "LXC" },
	{ "/run/systemd/container", "systemd-nspawn\n", "systemd-nspawn" },
	{ "/run/systemd/container", "new\n", "a container" },
	{ "/proc/sys/kernel/osrelease", "5.15.90.1-microsoft-standard-WSL2\n", "WSL" },
	{ "/proc/sys/kernel/osrelease", "6.1.0-13-amd64\n", NULL },
	{ "/proc/self/cgroup", "0::/user.slice\n", NULL },
};

START_TEST(container_is_told)
{
	struct finding f;

	put(containers[_i].path, containers[_i].text);
	f = found("container");
	ck_assert(f.ok == (f.hint[0] == '\0'));
	if (containers[_i].name == NULL) {
		ck_assert_ptr_null(host_container());
		return;
	}
	ck_assert_str_eq(host_container(), containers[_i].name);
	ck_assert_msg(strncmp(f.detail, containers[_i].name, strlen(containers[_i].name)) == 0, "%s",
	    f.detail);
}
END_TEST

static void
put_process(const char *pid, const char *name, int parent, unsigned uid, const char *state)
{
	char path[64], text[256];

	snprintf(path, sizeof(path), "/proc/%s/status", pid);
	snprintf(text, sizeof(text), "Name:\t%s\nUmask:\t0022\nState:\t%s\nPPid:\t%d\nUid:\t%u\t0\t0\t0\n",
	    name, state, parent, uid);
	put(path, text);
}

START_TEST(helper_without_its_cf_spawn_is_left)
{
	struct finding f;

	put_process("70", "cf-dns", 60, getuid(), "S (sleeping)");
	put_process("71", "cf-dns", 1, getuid() + 1, "S (sleeping)");
	put_process("72", "cf-dns", 1, getuid(), "Z (zombie)");
	put_process("73", "dnsmasq", 1, getuid(), "S (sleeping)");
	ck_assert(found("leftovers").ok);
	put_process("74", "cf-netstack", 1, getuid(), "S (sleeping)");
	f = found("leftovers");
	ck_assert(!f.ok);
	ck_assert_str_eq(f.detail, "process 74 (cf-netstack) has lost its cf-spawn");
	ck_assert_str_eq(f.hint, "kill 74");
}
END_TEST

START_TEST(directory_that_nobody_reads_is_left)
{
	char path[PATH_MAX];
	struct finding f;

	put("/tmp/childflow.aaaaaa/other", "");
	put("/tmp/childflow.bbbbbb/x", "");
	ck_assert(found("leftovers").ok);
	snprintf(path, sizeof(path), "%s/tmp/childflow.bbbbbb/keys", root);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	f = found("leftovers");
	ck_assert(!f.ok);
	ck_assert_ptr_nonnull(strstr(f.hint, "/tmp/childflow.bbbbbb"));
}
END_TEST

START_TEST(status_is_read_by_whole_keys)
{
	static const char text[] = "Name:\tcf-dns\nSeccomp:\t2\nSeccomp_filters:\t9\nUid:\t1\t2";
	char buf[8];

	ck_assert(status_parse(text, sizeof(text) - 1, "Seccomp", buf, sizeof(buf)));
	ck_assert_str_eq(buf, "2");
	ck_assert(status_parse(text, sizeof(text) - 1, "Uid", buf, sizeof(buf)));
	ck_assert_str_eq(buf, "1\t2");
	ck_assert(!status_parse(text, sizeof(text) - 1, "Se", buf, sizeof(buf)));
	ck_assert(!status_parse(text, 4, "Name", buf, sizeof(buf)));
}
END_TEST

START_TEST(childflows_keys_come_first_in_its_order)
{
	static const char *const keys[] = { "external_commands", "namespace_handles",
	    "user_namespace_quota", "unprivileged_user_namespaces", "apparmor_userns_policy",
	    "uidmap_helpers", "subuid_subgid_entries", "tun_tap_device", "af_packet_capture" };

	for (size_t i = 0; i < LEN(keys); i++)
		ck_assert_str_eq(checks[i].key, keys[i]);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("host");
	TCase *tc = tcase_create("host");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, file_decides, 0, (int)LEN(files));
	tcase_add_loop_test(tc, container_is_told, 0, (int)LEN(containers));
	tcase_add_test(tc, helper_without_its_cf_spawn_is_left);
	tcase_add_test(tc, directory_that_nobody_reads_is_left);
	tcase_add_test(tc, status_is_read_by_whole_keys);
	tcase_add_test(tc, childflows_keys_come_first_in_its_order);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
