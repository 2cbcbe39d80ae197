/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * steady: writes to a disk past the cache and reads it back, again and again, until it is told to
 * end by SIGTERM. No two writes are the same, and a read that is wrong, or any error, ends it with
 * failure. Prints how many rounds there were and how long the slowest request took.
 */
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BLOCK  (16 * 1024)
#define BLOCKS 16

static volatile sig_atomic_t ended;

static void end(int number)
{
	ended = 1;
}

static uint64_t now_usec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void fill(uint64_t *words, uint64_t round, uint64_t block)
{
	for (size_t i = 0; i < BLOCK / sizeof(*words); i++)
		words[i] = (round * BLOCKS + block) * UINT64_C(0x9e3779b97f4a7c15) + i;
}

/* One request; keeps the time of the slowest. */
static void transfer(int fd, bool write, void *data, unsigned block, uint64_t *slowest)
{
	uint64_t began = now_usec();
	ssize_t n = write ? pwrite(fd, data, BLOCK, (off_t)block * BLOCK)
			  : pread(fd, data, BLOCK, (off_t)block * BLOCK);

	if (n != BLOCK)
		err(1, "%s of block %u", write ? "write" : "read", block);
	began = now_usec() - began;
	if (began > *slowest)
		*slowest = began;
}

int main(int argc, char **argv)
{
	const struct sigaction action = { .sa_handler = end, .sa_flags = SA_RESTART };
	uint64_t rounds = 0, slowest = 0;
	uint64_t *written = aligned_alloc(4096, BLOCK), *read = aligned_alloc(4096, BLOCK);
	int fd;

	if (argc != 2 || !written || !read) {
		fputs("Usage: steady DISK\n", stderr);
		return 2;
	}
	(void)sigaction(SIGTERM, &action, NULL);
	fd = open(argv[1], O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		err(1, "%s", argv[1]);
	while (!ended || rounds == 0) {
		for (unsigned i = 0; i < BLOCKS; i++) {
			fill(written, rounds, i);
			transfer(fd, true, written, i, &slowest);
		}
		for (unsigned i = 0; i < BLOCKS; i++) {
			fill(written, rounds, i);
			transfer(fd, false, read, i, &slowest);
			if (memcmp(written, read, BLOCK) != 0)
				errx(1, "wrong data in block %u, round %llu", i,
				     (unsigned long long)rounds);
		}
		rounds++;
	}
	printf("%llu rounds, slowest request %llu us\n", (unsigned long long)rounds,
	       (unsigned long long)slowest);
	return 0;
}
