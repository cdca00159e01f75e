/*
 * totals.c - what the run's flows have carried, for cf-spawn --list (totals.h).
 *
 * The memory is cf-spawn's, sealed in its size; where none was given these numbers go nowhere.
 *
 * SPDX-License-Identifier: MIT
 */
#include "totals.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker.h"
#include "log.h"

static struct totals own, *totals = &own;

void
totals_open(int fd)
{
	struct stat st;
	void *map;

	if (fd == -1)
		return;
	if (fstat(fd, &st) != 0 || st.st_size != sizeof(struct totals) ||
	    (map = mmap(NULL, sizeof(struct totals), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)) ==
	    MAP_FAILED)
		fatalx("cannot count in descriptor %d (is it what cf-spawn makes?)", fd);
	close(fd);
	totals = map;
}

/* It may open more than once, where it is redialled. */
void
totals_flow(struct asked *fl)
{
	if (fl->counted)
		return;
	fl->counted = true;
	totals->flows++;
	totals->open++;
}

void
totals_bytes(struct asked *fl, uint64_t up, uint64_t down)
{
	totals->up += up - fl->told_up;
	totals->down += down - fl->told_down;
	fl->told_up = up;
	fl->told_down = down;
}

void
totals_end(const struct asked *fl)
{
	if (fl->counted)
		totals->open--;
}
