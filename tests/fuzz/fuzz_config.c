// layers: oisd-core
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Configuration files, and the file of the initiator's name if the first byte is odd: what is
 * accepted is usable, and what is refused is refused with a reason.
 */
#include <fcntl.h>
#include <string.h>

#include "config.h"
#include "fuzz.h"
#include "parse.h"

static char directory[] = "/dev/shm/ois-fuzz-XXXXXX";
static char paths[3][64];

static void remove_directory(void)
{
	for (size_t i = 0; i < ELEMENTSOF(paths); i++)
		(void)unlink(paths[i]);
	(void)rmdir(directory);
}

static void make_directory(void)
{
	static const char *const names[] = { "ois.conf", "name", "initiatorname.iscsi" };

	if (paths[0][0])
		return;
	FUZZ_CHECK(mkdtemp(directory));
	for (size_t i = 0; i < ELEMENTSOF(paths); i++)
		(void)snprintf(paths[i], sizeof(paths[i]), "%s/%s", directory, names[i]);
	FUZZ_CHECK(atexit(remove_directory) == 0);
}

static void put_file(const char *path, const void *data, size_t size)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	FUZZ_CHECK(fd >= 0);
	FUZZ_CHECK(write(fd, data, size) == (ssize_t)size);
}

static void check_settings(const struct settings *defaults)
{
	_cleanup_(settings_freep) struct settings *effective = NULL;

	FUZZ_CHECK(settings_effective(defaults, NULL, NULL, &effective) == 0);
	FUZZ_CHECK(settings_check(effective, NULL) == 0);
}

static void check_config(const struct config *config)
{
	FUZZ_CHECK(iscsi_name_check(config->initiator_name, NULL) == 0);
	FUZZ_CHECK(config->logins_max > 0 && config->scans_max > 0 && config->event_history > 0);
	check_settings(config->node_defaults);
	check_settings(config->discovery_defaults);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(config_freep) struct config *config = NULL;
	struct config_fault fault = {};
	int r;

	if (size == 0)
		return 0;
	make_directory();
	put_file(paths[0], data + 1, data[0] & 1 ? 0 : size - 1);
	put_file(paths[1], data + 1, data[0] & 1 ? size - 1 : 0);
	r = config_load(paths[0], paths[1], directory, &config, &fault);
	if (r >= 0) {
		check_config(config);
		return 0;
	}
	FUZZ_CHECK(*fault.message && *fault.file);
	FUZZ_CHECK(text_is_clean(fault.message, strlen(fault.message)));
	FUZZ_CHECK(text_is_clean(fault.setting, strlen(fault.setting)));
	return 0;
}
