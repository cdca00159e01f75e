/*
 * rulesfd.c - see rulesfd.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "rulesfd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define SEALS	(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

const struct sandbox_row rulesfd_rows[] = {
	ALLOW_ARG(fcntl, 1, F_GET_SEALS, "are the rules that came sealed"),
	ALLOW_ARG(lseek, 2, SEEK_END,	 "how long they are"),
	{ 0 }
};

static int
write_all(int fd, const char *p, size_t len)
{
	ssize_t n;

	for (; len > 0; p += n, len -= (size_t)n)
		while ((n = write(fd, p, len)) == -1)
			if (errno != EINTR)
				return -1;
	return 0;
}

int
rulesfd_make(const void *buf, size_t len)
{
	int fd = memfd_create("childflow-rules", MFD_CLOEXEC | MFD_ALLOW_SEALING), saved;

	if (fd == -1)
		return -1;
	if (write_all(fd, buf, len) == 0 && fcntl(fd, F_ADD_SEALS, SEALS) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

const char *
rulesfd_load(int fd, struct rules *out)
{
	int seals = fcntl(fd, F_GET_SEALS);
	const char *why;
	off_t len;
	void *map;

	if (seals == -1 || (seals & SEALS) != SEALS)
		return "it is not a sealed memfd";
	if ((len = lseek(fd, 0, SEEK_END)) <= 0)
		return "it is empty";
	map = mmap(NULL, (size_t)len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return "it cannot be mapped";
	if ((why = rules_load(map, (size_t)len, out)) != NULL)
		munmap(map, (size_t)len);
	return why;
}

const char *
rulesfd_swap(int fd, struct rules *io)
{
	struct rules old = *io;
	const char *why = rulesfd_load(fd, io);

	close(fd);
	if (why == NULL && old.head != NULL)
		munmap((void *)(uintptr_t)old.base, (size_t)rules_size(&old));
	return why;
}
