/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Loaded into user-mode Linux (LD_PRELOAD) on a processor with more state than it knows of.
 *
 * Up to 6.12 it keeps 2696 bytes of a process's extended state, all that there was before AMX. A
 * machine gives as much of the state as is asked for, but takes it back only as a whole: process 1
 * would end at its first instruction. What is left out here is the state of registers that
 * nothing in the guest has a permission to use (arch_prctl ARCH_REQ_XCOMP_PERM), so it is always
 * the initial one, for which the header says that nothing is there to be read.
 */
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static unsigned char state[64 * 1024];

static long call(long request, long pid, void *address, void *data)
{
	return syscall(SYS_ptrace, request, pid, address, data);
}

/* How much a machine gives and takes: it fits in @state, or the process cannot be continued. */
static size_t state_size(long pid)
{
	static size_t size;
	struct iovec all = { .iov_base = state, .iov_len = sizeof(state) };

	if (size == 0 && call(PTRACE_GETREGSET, pid, (void *)NT_X86_XSTATE, &all) == 0) {
		size = all.iov_len;
		memset(state, 0, sizeof(state));
	}
	return size;
}

static long set_state(long pid, const struct iovec *part)
{
	struct iovec all = { .iov_base = state, .iov_len = state_size(pid) };

	if (part->iov_len >= all.iov_len)
		return call(PTRACE_SETREGSET, pid, (void *)NT_X86_XSTATE, (void *)part);
	memcpy(state, part->iov_base, part->iov_len);
	return call(PTRACE_SETREGSET, pid, (void *)NT_X86_XSTATE, &all);
}

/* ptrace(2) as the C library has it: the kernel stores a word that is peeked at. */
long ptrace(enum __ptrace_request request, ...)
{
	bool peeks = request >= PTRACE_PEEKTEXT && request <= PTRACE_PEEKUSER;
	long word, pid, r;
	void *address, *data;
	va_list arguments;

	va_start(arguments, request);
	pid = va_arg(arguments, pid_t);
	address = va_arg(arguments, void *);
	data = va_arg(arguments, void *);
	va_end(arguments);
	if (request == PTRACE_SETREGSET && address == (void *)NT_X86_XSTATE)
		return set_state(pid, data);
	r = call(request, pid, address, peeks ? &word : data);
	if (!peeks || r < 0)
		return r;
	errno = 0;
	return word;
}
