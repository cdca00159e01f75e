/*
 * classes.h - what no helper may do, tried from inside the seal of each role.
 *
 * One table for all of them.  A role that needs one of these says so by name (may), and is then
 * held to that: what it may must not end it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SANDBOX_CLASSES_H
#define SANDBOX_CLASSES_H

#include <check.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit/main.h"
#include "sandbox.h"

#define X32		0x40000000L	/* another table of numbers, of the same machine */
#define FAMILIES	46

static const struct sockaddr_in	class_elsewhere = { .sin_family = AF_INET };
static const char	class_program[] = "/bin/true", class_file[] = "/etc/passwd";
#define HERE(x)		((long)(x))

struct class_call {
	const char	*name;
	long		 nr, arg[6];
	bool		 in_debug;	/* the sanitizers' runtime makes it */
};

static const struct class_call	class_a_connection[] = {
	{ "connect", SYS_connect, { 0, HERE(&class_elsewhere), sizeof(class_elsewhere) } },
	{ "bind", SYS_bind, { 0, HERE(&class_elsewhere), sizeof(class_elsewhere) } },
	{ "listen", SYS_listen, { 0, 1 } },
	{ "accept", SYS_accept, { 0 } },
	{ "socketpair", SYS_socketpair, { AF_UNIX, SOCK_SEQPACKET } },
	{ "socketpair of INET", SYS_socketpair, { AF_INET, SOCK_STREAM } },
	{ 0 }
};
static const struct class_call	class_a_datagram_elsewhere[] = {
	{ "sendto with an address", SYS_sendto,
	  { 0, HERE(class_file), 1, 0, HERE(&class_elsewhere), sizeof(class_elsewhere) } },
	{ "sendmsg", SYS_sendmsg, { 0 } },
	{ "sendmmsg", SYS_sendmmsg, { 0 } },
	{ 0 }
};
static const struct class_call	class_a_file[] = {
#ifdef SYS_open
	{ "open", SYS_open, { HERE(class_file), O_RDONLY } },
	{ "creat", SYS_creat, { HERE(class_file) } },
	{ "unlink", SYS_unlink, { HERE("/none") } },
	{ "rename", SYS_rename, { HERE("/none"), HERE("/none") } },
	{ "mkdir", SYS_mkdir, { HERE("/none/none") } },
	{ "chmod", SYS_chmod, { HERE("/none") } },
#endif
	{ "openat", SYS_openat, { AT_FDCWD, HERE(class_file), O_RDONLY }, true },
	{ "openat to write", SYS_openat, { AT_FDCWD, HERE("/dev/null"), O_WRONLY }, true },
	{ "openat to read and write", SYS_openat, { AT_FDCWD, HERE("/dev/null"), O_RDWR }, true },
	{ "openat to make", SYS_openat, { AT_FDCWD, HERE("/none/none"), O_CREAT }, true },
	{ "openat2", SYS_openat2, { AT_FDCWD, HERE(class_file) } },
	{ "open_by_handle_at", SYS_open_by_handle_at, { 0 } },
	{ "unlinkat", SYS_unlinkat, { AT_FDCWD, HERE("/none") } },
	{ "renameat2", SYS_renameat2, { AT_FDCWD, HERE("/none"), AT_FDCWD, HERE("/none") } },
	{ "linkat", SYS_linkat, { AT_FDCWD, HERE("/none"), AT_FDCWD, HERE("/none") } },
	{ "symlinkat", SYS_symlinkat, { HERE("/none"), AT_FDCWD, HERE("/none/none") } },
	{ "mkdirat", SYS_mkdirat, { AT_FDCWD, HERE("/none/none") } },
	{ "mknodat", SYS_mknodat, { AT_FDCWD, HERE("/none/none") } },
	{ "fchmodat", SYS_fchmodat, { AT_FDCWD, HERE("/none") } },
	{ "fchownat", SYS_fchownat, { AT_FDCWD, HERE("/none") } },
	{ "truncate", SYS_truncate, { HERE("/none") } },
	{ "ftruncate", SYS_ftruncate, { 0 } },
	{ "memfd_create", SYS_memfd_create, { HERE("x") } },
	{ "inotify_init1", SYS_inotify_init1, { 0 } },
	{ "fanotify_init", SYS_fanotify_init, { 0 } },
	{ 0 }
};
static const struct class_call	class_a_program[] = {
	{ "execve", SYS_execve, { HERE(class_program) } },
	{ "execveat", SYS_execveat, { AT_FDCWD, HERE(class_program) } },
#ifdef SYS_fork
	{ "fork", SYS_fork, { 0 } },
#endif
	{ "clone", SYS_clone, { SIGCHLD } },
	{ "clone of a thread", SYS_clone, { CLONE_VM | CLONE_SIGHAND | CLONE_THREAD } },
	{ "clone3", SYS_clone3, { 0 } },
	{ 0 }
};
static const struct class_call	class_another_process[] = {
	{ "ptrace", SYS_ptrace, { 0 } },
	{ "process_vm_readv", SYS_process_vm_readv, { 1 }, true },
	{ "process_vm_writev", SYS_process_vm_writev, { 1 } },
	{ "pidfd_open", SYS_pidfd_open, { 1 } },
	{ "pidfd_getfd", SYS_pidfd_getfd, { 0 } },
	{ "pidfd_send_signal", SYS_pidfd_send_signal, { 0 } },
	{ "kill", SYS_kill, { 0, 0 } },
	{ "tkill", SYS_tkill, { 1, 0 } },
	{ "tgkill", SYS_tgkill, { 1, 1, 0 }, true },
	{ "rt_sigqueueinfo", SYS_rt_sigqueueinfo, { 1 } },
	{ "setpriority", SYS_setpriority, { 0 } },
	{ "sched_setscheduler", SYS_sched_setscheduler, { 1 } },
	{ "prlimit64", SYS_prlimit64, { 1 }, true },
	{ "kcmp", SYS_kcmp, { 1, 1 } },
	{ "shmget", SYS_shmget, { 0 } },
	{ "semget", SYS_semget, { 0 } },
	{ "msgget", SYS_msgget, { 0 } },
	{ "mq_open", SYS_mq_open, { HERE("x") } },
	{ 0 }
};
static const struct class_call	class_executable_memory[] = {
	{ "mmap to execute", SYS_mmap,
	  { 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1 } },
	{ "mmap to write and execute", SYS_mmap,
	  { 0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1 } },
	{ "mprotect to execute", SYS_mprotect, { 4096, 4096, PROT_EXEC }, true },
	{ "pkey_mprotect", SYS_pkey_mprotect, { 4096, 4096, PROT_EXEC } },
	{ "personality", SYS_personality, { 0x0400000 } },	/* READ_IMPLIES_EXEC */
	{ "remap_file_pages", SYS_remap_file_pages, { 0 } },
	{ 0 }
};
static const struct class_call	class_a_namespace_or_mount[] = {
	{ "setns", SYS_setns, { 0 } },
	{ "unshare", SYS_unshare, { 0 } },
	{ "mount", SYS_mount, { HERE("x"), HERE("/none"), HERE("x") } },
	{ "umount2", SYS_umount2, { HERE("/none") } },
	{ "pivot_root", SYS_pivot_root, { HERE("/none"), HERE("/none") } },
	{ "chroot", SYS_chroot, { HERE("/none") } },
	{ "chdir", SYS_chdir, { HERE("/none") } },
	{ "fchdir", SYS_fchdir, { 0 } },
	{ "fsopen", SYS_fsopen, { HERE("x") } },
	{ "open_tree", SYS_open_tree, { AT_FDCWD, HERE("/none") } },
	{ "move_mount", SYS_move_mount, { 0 } },
	{ "sethostname", SYS_sethostname, { HERE("x"), 1 } },
	{ 0 }
};
static const struct class_call	class_the_kernel[] = {
	{ "bpf", SYS_bpf, { 0 } },
	{ "perf_event_open", SYS_perf_event_open, { 0 } },
	{ "io_uring_setup", SYS_io_uring_setup, { 1 } },
	{ "io_uring_enter", SYS_io_uring_enter, { 0 } },
	{ "io_uring_register", SYS_io_uring_register, { 0 } },
	{ "userfaultfd", SYS_userfaultfd, { 0 } },
	{ "keyctl", SYS_keyctl, { 0 } },
	{ "add_key", SYS_add_key, { HERE("user") } },
	{ "request_key", SYS_request_key, { HERE("user") } },
	{ "init_module", SYS_init_module, { 0 } },
	{ "finit_module", SYS_finit_module, { 0 } },
	{ "kexec_load", SYS_kexec_load, { 0 } },
	{ "syslog", SYS_syslog, { 0 } },
	{ "settimeofday", SYS_settimeofday, { 0 } },
	{ "clock_settime", SYS_clock_settime, { 0 } },
	{ "swapon", SYS_swapon, { HERE("/none") } },
	{ "quotactl", SYS_quotactl, { 0 } },
	{ "vmsplice", SYS_vmsplice, { 0 } },
	{ "x32", X32 | SYS_write, { 2 }, true },	/* kills in a debug build, too */
	{ 0 }
};
static const struct class_call	class_its_own_rights[] = {
	{ "prctl of dumpable", SYS_prctl, { PR_SET_DUMPABLE, 1 }, true },
	{ "prctl of a name", SYS_prctl, { PR_SET_NAME, HERE("x") }, true },
	{ "prctl of seccomp", SYS_prctl, { PR_SET_SECCOMP, 0 }, true },
	{ "seccomp", SYS_seccomp, { 0 } },
	{ "capset", SYS_capset, { 0 } },
	{ "setuid", SYS_setuid, { 0 } },
	{ "setresuid", SYS_setresuid, { 0 } },
	{ "setresgid", SYS_setresgid, { 0 } },
	{ "setgroups", SYS_setgroups, { 0 } },
	{ "setfsuid", SYS_setfsuid, { 0 } },
	{ "setrlimit", SYS_setrlimit, { 0 } },
	{ "setpgid", SYS_setpgid, { 0 } },
	{ "setsid", SYS_setsid, { 0 } },
	{ 0 }
};
static const struct class_call	class_an_ioctl[] = {
	{ "TIOCSTI", SYS_ioctl, { 0, TIOCSTI }, true },
	{ "TIOCSCTTY", SYS_ioctl, { 0, TIOCSCTTY }, true },
	{ "TUNSETIFF", SYS_ioctl, { 0, TUNSETIFF }, true },
	{ "SIOCGIFCONF", SYS_ioctl, { 0, SIOCGIFCONF }, true },
	{ "SIOCSIFFLAGS", SYS_ioctl, { 0, SIOCSIFFLAGS }, true },
	{ "FIOASYNC", SYS_ioctl, { 0, FIOASYNC }, true },
	{ 0 }
};
static const struct class_call	class_a_socket_option[] = {
	{ "SO_BINDTODEVICE", SYS_setsockopt, { 0, SOL_SOCKET, SO_BINDTODEVICE } },
	{ "SO_MARK", SYS_setsockopt, { 0, SOL_SOCKET, SO_MARK } },
	{ "SO_BROADCAST", SYS_setsockopt, { 0, SOL_SOCKET, SO_BROADCAST } },
	{ "SO_ATTACH_FILTER", SYS_setsockopt, { 0, SOL_SOCKET, SO_ATTACH_FILTER } },
	{ "SO_ATTACH_BPF", SYS_setsockopt, { 0, SOL_SOCKET, SO_ATTACH_BPF } },
	{ "IP_OPTIONS", SYS_setsockopt, { 0, IPPROTO_IP, IP_OPTIONS } },
	{ "IP_TRANSPARENT", SYS_setsockopt, { 0, IPPROTO_IP, IP_TRANSPARENT } },
	{ "IP_ADD_MEMBERSHIP", SYS_setsockopt, { 0, IPPROTO_IP, IP_ADD_MEMBERSHIP } },
	{ "IPV6_JOIN_GROUP", SYS_setsockopt, { 0, IPPROTO_IPV6, IPV6_JOIN_GROUP } },
	{ "IPV6_HOPOPTS", SYS_setsockopt, { 0, IPPROTO_IPV6, IPV6_HOPOPTS } },
	{ "TCP_REPAIR", SYS_setsockopt, { 0, IPPROTO_TCP, TCP_REPAIR } },
	{ "TCP_ULP", SYS_setsockopt, { 0, IPPROTO_TCP, TCP_ULP } },
	{ "SO_PEERCRED", SYS_getsockopt, { 0, SOL_SOCKET, SO_PEERCRED } },
	{ 0 }
};
static const struct class_call	class_a_descriptor[] = {
	{ "F_SETFL", SYS_fcntl, { 0, F_SETFL, 0 } },
	{ "F_SETOWN", SYS_fcntl, { 0, F_SETOWN, 1 } },
	{ "F_SETSIG", SYS_fcntl, { 0, F_SETSIG, 9 } },
	{ "F_SETLEASE", SYS_fcntl, { 0, F_SETLEASE, 0 } },
	{ "dup", SYS_dup, { 0 } },
	{ "dup3", SYS_dup3, { 0, 100 } },
#ifdef SYS_pipe
	{ "dup2", SYS_dup2, { 0, 100 } },
	{ "pipe", SYS_pipe, { 0 } },
#endif
	{ "pipe2", SYS_pipe2, { 0 } },
	{ "tee", SYS_tee, { 0 } },
	{ "sendfile", SYS_sendfile, { 0 } },
	{ "copy_file_range", SYS_copy_file_range, { 0 } },
	{ 0 }
};

static const struct class {
	const char		*name;
	const struct class_call	*calls;	/* NULL: a socket of each family */
} classes[] = {
	{ "a socket", NULL }, { "a connection", class_a_connection },
	{ "a datagram elsewhere", class_a_datagram_elsewhere }, { "a file", class_a_file },
	{ "a program", class_a_program }, { "another process", class_another_process },
	{ "executable memory", class_executable_memory },
	{ "a namespace or a mount", class_a_namespace_or_mount }, { "the kernel", class_the_kernel },
	{ "its own rights", class_its_own_rights }, { "an ioctl", class_an_ioctl },
	{ "a socket option", class_a_socket_option }, { "a descriptor", class_a_descriptor },
};
#define CLASSES		((int)COUNT(classes))

/* In a process of its own, sealed as the role is. */
static int
class_status(const struct sandbox_role *role, const struct class_call *c)
{
	int status, null;
	pid_t pid = fork();

	if (pid == 0) {
		null = open("/dev/null", O_RDWR);
		dup2(null, 0), dup2(null, 1), dup2(null, 2);
		sandbox_enter(role);
		syscall(c->nr, c->arg[0], c->arg[1], c->arg[2], c->arg[3], c->arg[4], c->arg[5]);
		_exit(42);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static bool
class_may(const char *const *may, const char *name)
{
	for (; may != NULL && *may != NULL; may++)
		if (strcmp(*may, name) == 0)
			return true;
	return false;
}

static void
class_call_try(const struct sandbox_role *role, const char *const *may, const struct class_call *c)
{
	int status;

#ifdef CF_DEBUG
	if (c->in_debug)
		return;
#endif
	status = class_status(role, c);
	if (class_may(may, c->name))
		ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 42, "%s: %s ends it",
		    role->name, c->name);
	else
#ifdef CF_DEBUG
		ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 1, "%s: %s", role->name,
		    c->name);
#else
		ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "%s: %s",
		    role->name, c->name);
#endif
}

/* The n-th class; may: a NULL-ended list of what the role needs, or NULL. */
static void
class_try(const struct sandbox_role *role, const char *const *may, int n)
{
	struct class_call socket_of = { "socket", SYS_socket, { 0, SOCK_STREAM } };

	for (const struct class_call *c = classes[n].calls; c != NULL && c->name != NULL; c++)
		class_call_try(role, may, c);
	for (; classes[n].calls == NULL && socket_of.arg[0] < FAMILIES; socket_of.arg[0]++)
		class_call_try(role, may, &socket_of);
}

#endif
