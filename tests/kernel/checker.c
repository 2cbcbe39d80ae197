/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * checker: reads and writes a disk past the cache, several requests at a time, and knows at any
 * moment what a read may return. Each sector tells who wrote it, where and when: a block that was
 * lost, is old, or has come to the wrong place or disk is found by the first wrong byte. SIGTERM
 * ends it, after a look at the whole disk.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/fs.h>
#include <time.h>
#include <unistd.h>

#define SECTOR        512U
#define BLOCK         4096U
#define RUN_MAX       64U /* blocks of one request */
#define WORDS         (SECTOR / sizeof(uint64_t))
#define REQUESTS_MAX  64U
#define COMPLAINTS    8U
#define FULL_LOOK_RUN 32U

/* The first words of a sector; the others follow from them. */
enum word { WORD_MAGIC, WORD_DISK, WORD_SECTOR, WORD_GENERATION, WORD_FILL };

#define MAGIC UINT64_C(0x6f69732d63686563)

/*
 * A read that begins after a write was acknowledged returns that write, or one that was begun
 * before the read ended. Of each block there is one writer at a time.
 */
struct block {
	_Atomic uint64_t acknowledged, begun;
	bool writing; /* under the lock */
};

static struct {
	int fd;
	uint64_t disk;
	const char *path;
	struct block *blocks;
	uint64_t n_blocks;
	pthread_mutex_t lock;
	long pause_msec;
	unsigned requests;
	bool errors_allowed;
	_Atomic uint64_t generation, reads, writes, errors, wrong, longest_usec;
	atomic_bool stop;
} checker = { .lock = PTHREAD_MUTEX_INITIALIZER, .requests = 4 };

static const char usage[] =
	"Usage: checker [OPTION]... DISK\n"
	"\n"
	"Overwrites DISK, and checks what it reads, until SIGTERM; then says "
	"what it has seen. Exit "
	"status\n"
	"1: wrong data, or a request failed.\n"
	"\n"
	"  --blocks N       use the first N blocks of 4 KiB only\n"
	"  --requests N     that many at a time (4)\n"
	"  --pause MSEC     between two requests, up to twice of this (0)\n"
	"  --seed N         what is done where (1)\n"
	"  --errors         failed requests are counted, but no failure\n"
	"  --ready FILE     gets a line \"ready\" when the whole disk has been written once\n";

static uint64_t now_usec(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* splitmix64: the same numbers for the same seed. */
static uint64_t next(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static void fill_sector(uint64_t *words, uint64_t sector, uint64_t generation)
{
	uint64_t state = checker.disk ^ (sector << 20) ^ generation;

	words[WORD_MAGIC] = MAGIC;
	words[WORD_DISK] = checker.disk;
	words[WORD_SECTOR] = sector;
	words[WORD_GENERATION] = generation;
	for (unsigned i = WORD_FILL; i < WORDS; i++)
		words[i] = next(&state);
}

static void keep_longest(uint64_t usec)
{
	uint64_t longest = checker.longest_usec;

	while (usec > longest &&
	       !atomic_compare_exchange_weak(&checker.longest_usec, &longest, usec))
		;
}

/* True for the first few: what follows them is more of the same. */
static bool may_complain(void)
{
	return atomic_fetch_add(&checker.wrong, 1) < COMPLAINTS;
}

/* What a sector should be is not known before its generation is; which is in it, right or wrong. */
static void check_sector(const uint64_t *words, uint64_t sector, uint64_t oldest, uint64_t newest)
{
	uint64_t right[WORDS], generation = words[WORD_GENERATION];
	const uint8_t *is = (const uint8_t *)words, *should;
	unsigned i = 0;

	fill_sector(right, sector, generation);
	should = (const uint8_t *)right;
	while (i < SECTOR && is[i] == should[i])
		i++;
	if (i < SECTOR) {
		if (may_complain())
			printf("%s: byte %u of sector %" PRIu64 " is %02x instead of %02x; "
			       "it has sector %" PRIu64 " of disk %" PRIx64
			       " in it, generation %" PRIu64 "\n",
			       checker.path, i, sector, is[i], should[i], words[WORD_SECTOR],
			       words[WORD_DISK], generation);
	} else if (generation < oldest || generation > newest) {
		if (may_complain())
			printf("%s: sector %" PRIu64 " has generation %" PRIu64 " instead of "
			       "%" PRIu64 " to %" PRIu64 "\n",
			       checker.path, sector, generation, oldest, newest);
	}
}

/* Done, or an error: then whether a write reached the disk is not known. */
static bool transfer(bool write, void *buffer, uint64_t first, unsigned n)
{
	size_t size = (size_t)n * BLOCK, done = 0;
	uint64_t begin = now_usec();
	ssize_t r = 1;

	while (done < size && r > 0) {
		off_t at = (off_t)(first * BLOCK + done);

		r = write ? pwrite(checker.fd, (char *)buffer + done, size - done, at)
			  : pread(checker.fd, (char *)buffer + done, size - done, at);
		if (r > 0)
			done += (size_t)r;
	}
	keep_longest(now_usec() - begin);
	if (done == size)
		return true;
	if (atomic_fetch_add(&checker.errors, 1) < COMPLAINTS && !checker.errors_allowed)
		printf("%s: %s of %u blocks at %" PRIu64 ": %s\n", checker.path,
		       write ? "write" : "read", n, first, r < 0 ? strerror(errno) : "end of disk");
	return false;
}

/* A run of blocks that nobody else writes; false if someone does. */
static bool claim(uint64_t first, unsigned n)
{
	bool taken = false;

	pthread_mutex_lock(&checker.lock);
	for (unsigned i = 0; i < n; i++)
		taken |= checker.blocks[first + i].writing;
	for (unsigned i = 0; i < n && !taken; i++)
		checker.blocks[first + i].writing = true;
	pthread_mutex_unlock(&checker.lock);
	return !taken;
}

static void release(uint64_t first, unsigned n)
{
	pthread_mutex_lock(&checker.lock);
	for (unsigned i = 0; i < n; i++)
		checker.blocks[first + i].writing = false;
	pthread_mutex_unlock(&checker.lock);
}

static void write_run(uint64_t *buffer, uint64_t first, unsigned n)
{
	uint64_t generation = atomic_fetch_add(&checker.generation, 1) + 1;

	if (!claim(first, n))
		return;
	for (unsigned i = 0; i < n * (BLOCK / SECTOR); i++)
		fill_sector(buffer + i * WORDS, first * (BLOCK / SECTOR) + i, generation);
	for (unsigned i = 0; i < n; i++)
		checker.blocks[first + i].begun = generation;
	if (transfer(true, buffer, first, n)) {
		for (unsigned i = 0; i < n; i++)
			checker.blocks[first + i].acknowledged = generation;
		checker.writes++;
	}
	release(first, n);
}

static void read_run(uint64_t *buffer, uint64_t first, unsigned n)
{
	uint64_t oldest[RUN_MAX];

	for (unsigned i = 0; i < n; i++)
		oldest[i] = checker.blocks[first + i].acknowledged;
	if (!transfer(false, buffer, first, n))
		return;
	checker.reads++;
	for (unsigned i = 0; i < n * (BLOCK / SECTOR); i++) {
		unsigned block = i / (BLOCK / SECTOR);

		/* Never written, or not with success: anything may be there. */
		if (oldest[block] > 0)
			check_sector(buffer + i * WORDS, first * (BLOCK / SECTOR) + i,
				     oldest[block], checker.blocks[first + block].begun);
	}
}

static uint64_t *new_buffer(void)
{
	uint64_t *buffer = aligned_alloc(BLOCK, (size_t)RUN_MAX * BLOCK);

	if (!buffer)
		errx(2, "no memory");
	return buffer;
}

static void rest(uint64_t *state)
{
	uint64_t nsec = next(state) % ((uint64_t)checker.pause_msec * 2000000 + 1);
	struct timespec t = { (time_t)(nsec / 1000000000), (long)(nsec % 1000000000) };

	if (checker.pause_msec > 0)
		(void)nanosleep(&t, NULL);
}

/* Most requests are short, some are long enough for several PDUs. */
static void *work(void *userdata)
{
	uint64_t state = (uint64_t)(uintptr_t)userdata, *buffer = new_buffer();

	while (!checker.stop) {
		uint64_t random = next(&state);
		unsigned n = 1U << (random & 3), write = (random >> 4) & 1;

		if (((random >> 5) & 7) == 0)
			n = RUN_MAX;
		if (n > checker.n_blocks)
			n = (unsigned)checker.n_blocks;
		(write ? write_run : read_run)(buffer, (random >> 8) % (checker.n_blocks - n + 1),
					       n);
		rest(&state);
	}
	free(buffer);
	return NULL;
}

static void whole_disk(void (*run)(uint64_t *buffer, uint64_t first, unsigned n))
{
	uint64_t *buffer = new_buffer();

	for (uint64_t at = 0; at < checker.n_blocks; at += FULL_LOOK_RUN) {
		uint64_t left = checker.n_blocks - at;

		run(buffer, at, left < FULL_LOOK_RUN ? (unsigned)left : FULL_LOOK_RUN);
	}
	free(buffer);
}

static void open_disk(const char *path, uint64_t blocks)
{
	uint64_t size = 0;

	checker.path = path;
	checker.fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (checker.fd < 0 || ioctl(checker.fd, BLKGETSIZE64, &size) < 0)
		err(2, "%s", path);
	checker.n_blocks = size / BLOCK;
	if (blocks > 0 && blocks < checker.n_blocks)
		checker.n_blocks = blocks;
	checker.blocks = calloc(checker.n_blocks, sizeof(*checker.blocks));
	if (!checker.blocks || !checker.n_blocks)
		errx(2, "%s: no memory, or no disk", path);
	for (const char *p = path; *p; p++)
		checker.disk = checker.disk * 131 + (uint8_t)*p;
}

static void run(uint64_t seed, const char *ready)
{
	pthread_t threads[REQUESTS_MAX];
	sigset_t signals;
	int r, fd, signal;

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
	whole_disk(write_run);
	fd = ready ? open(ready, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) : -1;
	if (ready && fd < 0)
		err(2, "%s", ready);
	for (unsigned i = 0; i < checker.requests; i++) {
		r = pthread_create(&threads[i], NULL, work,
				   (void *)(uintptr_t)(seed * REQUESTS_MAX + i));
		if (r > 0)
			errx(2, "thread: %s", strerror(r));
	}
	if (fd >= 0) {
		dprintf(fd, "ready\n");
		close(fd);
	}
	(void)sigwait(&signals, &signal);
	checker.stop = true;
	for (unsigned i = 0; i < checker.requests; i++)
		(void)pthread_join(threads[i], NULL);
	whole_disk(read_run);
}

static uint64_t number(const char *word)
{
	char *end;
	uint64_t value = strtoull(word, &end, 10);

	if (end == word || *end)
		errx(2, "no number: %s", word);
	return value;
}

int main(int argc, char *argv[])
{
	static const struct option options[] = {
		{ "blocks", required_argument, NULL, 'b' },
		{ "requests", required_argument, NULL, 'r' },
		{ "pause", required_argument, NULL, 'p' },
		{ "seed", required_argument, NULL, 's' },
		{ "errors", no_argument, NULL, 'e' },
		{ "ready", required_argument, NULL, 'y' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *ready = NULL;
	uint64_t blocks = 0, seed = 1;

	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) >= 0;) {
		switch (c) {
		case 'b':
			blocks = number(optarg);
			break;
		case 'r':
			checker.requests = (unsigned)number(optarg);
			break;
		case 'p':
			checker.pause_msec = (long)number(optarg);
			break;
		case 's':
			seed = number(optarg);
			break;
		case 'e':
			checker.errors_allowed = true;
			break;
		case 'y':
			ready = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			return 2;
		}
	}
	if (optind + 1 != argc || !checker.requests || checker.requests > REQUESTS_MAX) {
		fputs(usage, stderr);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	open_disk(argv[optind], blocks);
	run(seed, ready);
	printf("%s: %" PRIu64 " writes, %" PRIu64 " reads, %" PRIu64 " errors, %" PRIu64
	       " wrong sectors, longest request %" PRIu64 " ms\n",
	       checker.path, checker.writes, checker.reads, checker.errors, checker.wrong,
	       checker.longest_usec / 1000);
	return checker.wrong > 0 || (checker.errors > 0 && !checker.errors_allowed);
}
