/*
 * plaintun.c - run a command as on a kernel whose TUN devices grant no offloads.
 *
 *	plaintun COMMAND [ARG ...]
 *
 * Whoever asks a TUN for checksums or segmentation left to it (TUNSETOFFLOAD) gets EINVAL, as
 * from a kernel that does not know the bits; taking all away still works.  So what the
 * kernel hands out is no longer than the MTU, and has its checksums.  A filter of system calls
 * does it, which the command and all that it starts keep; it also makes them lose the chance of new
 * privileges (set-user-ID programs).
 *
 * Not done: the virtio-net header stays, and packets that are written may still use it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <err.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOAD(field)	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
/* Go on with the next where it is so, else skip that many. */
#define UNLESS(value, skip)	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (skip))

int
main(int argc, char **argv)
{
	static struct sock_filter rows[] = {
		LOAD(nr),
		UNLESS(SYS_ioctl, 5),
		LOAD(args[1]),		/* the low half: little endian */
		UNLESS(TUNSETOFFLOAD, 3),
		LOAD(args[2]),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { .len = sizeof(rows) / sizeof(rows[0]), .filter = rows };

	if (argc < 2) {
		fprintf(stderr, "usage: plaintun COMMAND [ARG ...]\n");
		return 2;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter))
		err(1, "no filter of system calls");
	execvp(argv[1], argv + 1);
	err(errno == ENOENT ? 127 : 126, "%s", argv[1]);
}
