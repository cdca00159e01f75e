/*
 * driver.c - main() of every fuzz target where libFuzzer is not there.
 *
 *	fuzz_x [-seconds=N] [-seed=N] [FILE|DIR ...]
 *
 * Runs the target once over every file, then over mutations of them for N seconds (none
 * without -seconds).  The same seed over the same files gives the same mutations.  Without
 * any file it starts from an empty input.  The input that kills the target is
 * written to ./crash-NNNNNNNN first: to run it again, give it as the only argument.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define INPUT_MAX	(1 << 17)
#define INPUTS_MAX	4096
#define HANG_SECONDS	20		/* one input that takes longer is a crash too */

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);
void	__sanitizer_set_death_callback(void (*)(void)) __attribute__((weak));
const char	*__ubsan_default_options(void);

struct input {
	uint8_t	*data;
	size_t	 len;
};

static struct input	inputs[INPUTS_MAX];
static size_t		n_inputs;
static uint64_t		seed = 1, runs;
/* What is being run; the crash handler writes it. */
static uint8_t		current[INPUT_MAX];
static size_t		current_len;

/* ---- crashes: only async-signal-safe calls ---- */

/* "crash-" and a hash (FNV-1a) of the input. */
static void
crash_name(char *name)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < current_len; i++)
		h = (h ^ current[i]) * 16777619u;
	for (int i = 13; i >= 6; i--, h >>= 4)
		name[i] = "0123456789abcdef"[h & 15];
}

static bool
write_all(int fd, const void *data, size_t len)
{
	for (size_t off = 0; off < len;) {
		ssize_t n = write(fd, (const char *)data + off, len - off);

		if (n <= 0)
			return false;
		off += (size_t)n;
	}
	return true;
}

static void
crash_save(void)
{
	static char said[] = "the input is in ./crash-00000000\n";
	char name[] = "crash-00000000";
	int fd;

	crash_name(name);
	memcpy(strchr(said, '/') + 1, name, sizeof(name) - 1);
	if ((fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) == -1)
		return;
	if (write_all(fd, current, current_len))
		(void)write_all(STDERR_FILENO, said, sizeof(said) - 1);
	close(fd);
}

static void
on_signal(int sig)
{
	crash_save();
	signal(sig, SIG_DFL);
	raise(sig);
}

/* The sanitizer of undefined behaviour has no callback of its own, but it can abort. */
const char *
__ubsan_default_options(void)
{
	return "abort_on_error=1:print_stacktrace=1";
}

static void
handlers_install(void)
{
	static const int deadly[] = { SIGABRT, SIGALRM, SIGSYS, SIGSEGV, SIGBUS, SIGFPE, SIGILL };
	size_t n = sizeof(deadly) / sizeof(deadly[0]);

	if (__sanitizer_set_death_callback != NULL) {	/* its reports of faults are better */
		__sanitizer_set_death_callback(crash_save);
		n = 3;
	}
	for (size_t i = 0; i < n; i++)
		signal(deadly[i], on_signal);
}

/* ---- inputs ---- */

static void
run(void)
{
	uint8_t *copy;

	/* A heap copy of exact length, so that a sanitizer sees reads beyond it. */
	if ((copy = malloc(current_len != 0 ? current_len : 1)) == NULL)
		return;
	memcpy(copy, current, current_len);
	alarm(HANG_SECONDS);
	LLVMFuzzerTestOneInput(copy, current_len);
	free(copy);
	runs++;
}

static void
input_add(const uint8_t *data, size_t len)
{
	struct input *in = &inputs[n_inputs];

	if (n_inputs == INPUTS_MAX || (in->data = malloc(len + 1)) == NULL)
		return;
	memcpy(in->data, data, len);
	in->len = len;
	n_inputs++;
}

static void
file_add(const char *path)
{
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd == -1)
		return;
	current_len = 0;
	while (current_len < INPUT_MAX &&
	    (n = read(fd, current + current_len, INPUT_MAX - current_len)) > 0)
		current_len += (size_t)n;
	close(fd);
	input_add(current, current_len);
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);	/* not alphasort: that asks the locale */
}

static void
path_add(const char *path)
{
	struct dirent **names;
	struct stat st;
	char file[4096];
	int n;

	if (stat(path, &st) != 0)
		return;				/* a target without seeds */
	if (!S_ISDIR(st.st_mode)) {
		file_add(path);
		return;
	}
	if ((n = scandir(path, &names, NULL, by_name)) < 0)
		return;
	for (int i = 0; i < n; i++) {
		snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
		if (names[i]->d_name[0] != '.' && stat(file, &st) == 0 && S_ISREG(st.st_mode))
			file_add(file);
		free(names[i]);
	}
	free(names);
}

/* ---- mutations ---- */

static uint64_t
rnd(void)				/* xorshift64* */
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * 0x2545f4914f6cdd1dull;
}

static size_t
below(size_t n)
{
	return n == 0 ? 0 : (size_t)(rnd() >> 16) % n;
}

static void
flip_bit(void)
{
	if (current_len > 0)
		current[below(current_len)] ^= (uint8_t)(1 << below(8));
}

static void
set_byte(void)
{
	if (current_len > 0)
		current[below(current_len)] = (uint8_t)rnd();
}

/* Lengths and counts live at edges. */
static void
set_edge(void)
{
	static const uint32_t edges[] = { 0, 1, 2, 7, 8, 19, 20, 21, 39, 40, 41, 127, 128, 255,
	    256, 511, 512, 1279, 1280, 1499, 1500, 0x7fff, 0x8000, 0xfffe, 0xffff,
	    0x7fffffff, 0x80000000, 0xffffffff };
	uint32_t v = edges[below(sizeof(edges) / sizeof(edges[0]))];
	size_t width = (size_t)1 << below(3), at;
	bool big = rnd() & 1;

	if (current_len < width)
		return;
	at = below(current_len - width + 1);
	for (size_t i = 0; i < width; i++)
		current[at + i] = (uint8_t)(v >> 8 * (big ? width - 1 - i : i));
}

static void
cut_tail(void)
{
	current_len = below(current_len + 1);
}

static void
cut_middle(void)
{
	size_t at = below(current_len), n = below(current_len - at + 1);

	memmove(current + at, current + at + n, current_len - at - n);
	current_len -= n;
}

static void
repeat_piece(void)
{
	size_t at = below(current_len), n = below(current_len - at + 1);

	if (n > 4096)
		n = 4096;
	if (current_len + n > INPUT_MAX)
		return;
	memmove(current + at + n, current + at, current_len - at);
	current_len += n;
}

/* A piece of another input in the middle or at the end of this one. */
static void
splice_other(void)
{
	const struct input *other = &inputs[below(n_inputs)];
	size_t from = below(other->len), n = below(other->len - from + 1);
	size_t at = below(current_len + 1);

	if (at + n > INPUT_MAX)
		return;
	memcpy(current + at, other->data + from, n);
	if (at + n > current_len)
		current_len = at + n;
}

static void
append(void)
{
	size_t n = 1 + below(32);

	if (current_len + n > INPUT_MAX)
		return;
	while (n-- > 0)
		current[current_len++] = (uint8_t)rnd();
}

static void
mutate(void)
{
	static void (*const ways[])(void) = { flip_bit, flip_bit, set_byte, set_byte, set_edge,
	    set_edge, set_edge, cut_tail, cut_middle, repeat_piece, splice_other,
	    append };
	const struct input *in = &inputs[below(n_inputs)];

	memcpy(current, in->data, in->len);
	current_len = in->len;
	for (size_t n = 1 + below(6); n > 0; n--)
		ways[below(sizeof(ways) / sizeof(ways[0]))]();
}

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int
main(int argc, char *argv[])
{
	double seconds = 0, start = now();
	size_t files;

	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "-seconds=", 9) == 0)
			seconds = atof(argv[i] + 9);
		else if (strncmp(argv[i], "-seed=", 6) == 0)
			seed = strtoull(argv[i] + 6, NULL, 10) | 1;
		else if (argv[i][0] == '-') {
			fprintf(stderr, "usage: %s [-seconds=N] [-seed=N] [FILE|DIR ...]\n", argv[0]);
			return 2;
		} else
			path_add(argv[i]);
	}
	files = n_inputs;
	if (n_inputs == 0)
		input_add(current, 0);
	handlers_install();
	for (size_t i = 0; i < n_inputs; i++) {
		memcpy(current, inputs[i].data, inputs[i].len);
		current_len = inputs[i].len;
		run();
	}
	while (now() - start < seconds)
		for (int i = 0; i < 16; i++) {
			mutate();
			run();
		}
	alarm(0);
	printf("%zu files, %llu runs, %.1f s\n", files, (unsigned long long)runs, now() - start);
	return 0;
}
