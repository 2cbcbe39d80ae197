/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tracer: looks at the system calls of a running program, with all its threads. All of its modes
 * print "attached" when nothing escapes them any more, and end with SIGTERM or with the program.
 *
 * "kill PID N" kills it as it is about to make its Nth system call that has an effect elsewhere or
 * takes one in, or when we are to end; a sweep over N kills it in each of its states. Prints the
 * name of the call and how many there were. "opens PID" prints each path that it opens, and each
 * program that it starts. "calls PID" prints its system calls.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static const char usage[] = "Usage: tracer kill PID N\n"
			    "       tracer opens PID\n"
			    "       tracer calls PID\n";

/* What other programs, the kernel and the network see of a program, and what it learns of them. */
static const struct call {
	long number;
	const char *name;
	int path; /* which argument is a path that is opened or run; -1: none */
} calls[] = {
	{ SYS_connect, "connect", -1 },
	{ SYS_sendto, "sendto", -1 },
	{ SYS_sendmsg, "sendmsg", -1 },
	{ SYS_recvfrom, "recvfrom", -1 },
	{ SYS_recvmsg, "recvmsg", -1 },
	{ SYS_recvmmsg, "recvmmsg", -1 },
	{ SYS_write, "write", -1 },
	{ SYS_openat, "openat", 1 },
	{ SYS_mkdirat, "mkdirat", -1 },
	{ SYS_unlinkat, "unlinkat", -1 },
	{ SYS_renameat2, "renameat2", -1 },
#ifdef SYS_mkdir
	{ SYS_mkdir, "mkdir", -1 },
#endif
#ifdef SYS_renameat
	{ SYS_renameat, "renameat", -1 },
#endif
#ifdef SYS_open
	{ SYS_open, "open", 0 },
#endif
	{ SYS_execve, "execve", 0 },
	{ SYS_execveat, "execveat", 1 },
	{ SYS_openat2, "openat2", 1 },
};

struct trace {
	pid_t pid;
	unsigned long kill_at; /* 0: never */
	bool opens, calls;
	unsigned long n;
	unsigned n_unstopped; /* threads that have not come under our eyes yet */
};

static volatile sig_atomic_t ended;

static void end(int number)
{
	ended = 1;
}

static const struct call *find_call(long number)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (calls[i].number == number)
			return &calls[i];
	return NULL;
}

static ssize_t read_memory(pid_t tid, uint64_t address, void *ret, size_t size)
{
	char name[32];
	ssize_t n;
	int fd;

	(void)snprintf(name, sizeof(name), "/proc/%d/mem", (int)tid);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : pread(fd, ret, size, (off_t)address);
	if (fd >= 0)
		(void)close(fd);
	return n;
}

/* As the program gave it, with the directory that it is relative to. */
static void print_path(pid_t tid, int directory, uint64_t address)
{
	char path[4096] = "", link[64], base[4096] = "";
	ssize_t n;

	if (read_memory(tid, address, path, sizeof(path) - 1) <= 0)
		(void)strcpy(path, "?");
	if (path[0] != '/') {
		if (directory == AT_FDCWD)
			(void)snprintf(link, sizeof(link), "/proc/%d/cwd", (int)tid);
		else
			(void)snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)tid, directory);
		n = readlink(link, base, sizeof(base) - 2);
		base[n < 0 ? 0 : n] = '/';
	}
	printf("%s%s\n", base, path);
}

static void on_entry(struct trace *trace, pid_t tid, const struct user_regs_struct *registers)
{
	const struct call *call = find_call((long)registers->orig_rax);

	if (trace->calls)
		printf("%s %llu\n", call ? call->name : "call",
		       (unsigned long long)registers->orig_rax);
	if (!call)
		return;
	if (trace->opens && call->path >= 0)
		print_path(tid, call->path ? (int)registers->rdi : AT_FDCWD,
			   call->path ? registers->rsi : registers->rdi);
	if (!trace->kill_at || call->path >= 0 || ++trace->n < trace->kill_at)
		return;
	(void)kill(trace->pid, SIGKILL);
	printf("%s %lu\n", call->name, trace->n);
	trace->kill_at = 0;
}

static void on_stop(struct trace *trace, pid_t tid, int status)
{
	struct user_regs_struct registers = { 0 };
	int number = WSTOPSIG(status), event = status >> 16;

	if (number == (SIGTRAP | 0x80)) {
		/* User-mode Linux tells an entry from an exit in no other way. */
		if (ptrace(PTRACE_GETREGS, tid, NULL, &registers) == 0 &&
		    (long)registers.rax == -ENOSYS)
			on_entry(trace, tid, &registers);
		number = 0;
	} else if (event) {
		/* A thread that was there already, or one just made. */
		if (event == PTRACE_EVENT_STOP && trace->n_unstopped > 0 &&
		    --trace->n_unstopped == 0)
			printf("attached\n");
		number = 0;
	}
	(void)ptrace(PTRACE_SYSCALL, tid, NULL, (void *)(long)number);
}

static void attach(struct trace *trace)
{
	long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE;
	const struct dirent *entry;
	char path[32];
	DIR *directory;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)trace->pid);
	directory = opendir(path);
	if (!directory)
		err(1, "no process %d", (int)trace->pid);
	while ((entry = readdir(directory))) {
		pid_t tid = (pid_t)atoi(entry->d_name);

		if (tid <= 0)
			continue;
		if (ptrace(PTRACE_SEIZE, tid, NULL, (void *)options) < 0 ||
		    ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) < 0)
			err(1, "cannot trace thread %d", (int)tid);
		trace->n_unstopped++;
	}
	(void)closedir(directory);
}

/* With our end all goes on untraced. */
static void follow(struct trace *trace)
{
	while (!ended) {
		int status;
		pid_t tid = waitpid(-1, &status, __WALL);

		if (tid < 0 && errno == ECHILD)
			break;
		if (tid > 0 && WIFSTOPPED(status))
			on_stop(trace, tid, status);
	}
	if (!trace->kill_at)
		return;
	(void)kill(trace->pid, SIGKILL);
	while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR)
		;
	printf("end %lu\n", trace->n);
}

int main(int argc, char **argv)
{
	const struct sigaction action = { .sa_handler = end };
	struct trace trace = { 0 };

	if (argc == 4 && strcmp(argv[1], "kill") == 0)
		trace.kill_at = strtoul(argv[3], NULL, 10);
	trace.opens = argc == 3 && strcmp(argv[1], "opens") == 0;
	trace.calls = argc == 3 && strcmp(argv[1], "calls") == 0;
	if (!trace.kill_at && !trace.opens && !trace.calls) {
		fputs(usage, stderr);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	(void)sigaction(SIGTERM, &action, NULL);
	trace.pid = (pid_t)atoi(argv[2]);
	attach(&trace);
	follow(&trace);
	return 0;
}
