// layers: oisd-core
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rows of transport.def: what can be looked up by them, and that no offer goes beyond what a
 * transport can do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "fake_sysfs.h"
#include "keys.h"
#include "settings.h"
#include "sysfs.h"
#include "transport.h"

static void rows(void **state)
{
	const struct setting_description *setting = setting_describe(SETTING_TRANSPORT);
	size_t n = 0;

	for (const struct transport *t = transport_table(); t->name; t++, n++) {
		assert_ptr_equal(transport_find(t->name), t);
		assert_ptr_equal(transport_find_host(t->proc_name), t);
		assert_non_null(t->module);
		assert_false(t->loaded);
		assert_true(t->kind != TRANSPORT_UNKNOWN);
		/* A number of the setting is one of these rows. */
		assert_string_equal(setting->values[n], t->name);
		/* One host for each session cannot be chosen. */
		if (t->quirks & TRANSPORT_HOST_NEEDED)
			assert_true(t->quirks & TRANSPORT_ADAPTERS);
	}
	assert_null(setting->values[n]);
	assert_null(transport_find("iscsi_iser"));
	assert_null(transport_find_host("iser"));
	assert_null(transport_find_host(""));
}

/* The most that a node can be set to. */
static struct iscsi_offer limited(const char *name, uint32_t capabilities)
{
	struct transport transport = *transport_find(name);
	struct iscsi_offer offer;

	iscsi_offer_init(&offer);
	offer.header_digest = offer.data_digest =
		(struct iscsi_digest_list){ .digest = { ISCSI_DIGEST_CRC32C, ISCSI_DIGEST_NONE },
					    .n = 2 };
	offer.max_recv_data_segment_length = offer.first_burst_length = offer.max_burst_length =
		16777215;
	offer.max_outstanding_r2t = 32768;
	transport.loaded = true;
	transport.capabilities = capabilities;
	transport_limit_offer(&transport, &offer);
	return offer;
}

static void offers(void **state)
{
	static const struct {
		const char *name;
		uint32_t capabilities;
		size_t n_header, n_data;
		uint32_t recv, first, most, r2t;
		bool initial_r2t, rdma;
	} cases[] = {
		{ "tcp", 0x39, 2, 2, 16777215, 16777215, 16777215, 32768, false, false },
		{ "iser", 0x89, 1, 1, 512, 16777215, 16777215, 32768, false, true },
		{ "cxgb3i", 0x30b9, 2, 2, 8192, 16777215, 16777215, 32768, false, false },
		{ "cxgb4i", 0x30b9, 2, 2, 8192, 16777215, 16777215, 32768, false, false },
		{ "bnx2i", 0x8b9, 2, 2, 16777215, 16777215, 16777215, 32768, false, false },
		{ "qedi", 0x8b9, 2, 2, 16777215, 16777215, 16777215, 32768, false, false },
		{ "be2iscsi", 0x8b9, 2, 2, 65536, 8192, 262144, 32768, true, false },
		/* As the kernel says, whatever the row is like. */
		{ "bnx2i", 0x18, 2, 1, 16777215, 16777215, 16777215, 32768, false, false },
		{ "bnx2i", 0x28, 1, 2, 16777215, 16777215, 16777215, 32768, false, false },
		{ "bnx2i", 0, 1, 1, 16777215, 16777215, 16777215, 1, false, false },
		{ "iser", 0x39, 1, 1, 512, 16777215, 16777215, 32768, false, true },
	};

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct iscsi_offer offer = limited(cases[i].name, cases[i].capabilities);

		assert_int_equal(offer.header_digest.n, cases[i].n_header);
		assert_int_equal(offer.data_digest.n, cases[i].n_data);
		if (cases[i].n_header == 1)
			assert_int_equal(offer.header_digest.digest[0], ISCSI_DIGEST_NONE);
		if (cases[i].n_data == 1)
			assert_int_equal(offer.data_digest.digest[0], ISCSI_DIGEST_NONE);
		assert_int_equal(offer.max_recv_data_segment_length, cases[i].recv);
		assert_int_equal(offer.first_burst_length, cases[i].first);
		assert_int_equal(offer.max_burst_length, cases[i].most);
		assert_int_equal(offer.max_outstanding_r2t, cases[i].r2t);
		assert_int_equal(offer.initial_r2t, cases[i].initial_r2t);
		assert_int_equal(offer.rdma_extensions, cases[i].rdma);
		if (cases[i].rdma)
			assert_int_equal(offer.initiator_recv_data_segment_length, cases[i].recv);
	}
}

/* A small wish stays what it is. */
static void wishes(void **state)
{
	struct transport transport = *transport_find("be2iscsi");
	struct iscsi_offer offer;

	iscsi_offer_init(&offer);
	offer.max_recv_data_segment_length = offer.first_burst_length = offer.max_burst_length =
		512;
	transport_limit_offer(&transport, &offer);
	assert_int_equal(offer.max_recv_data_segment_length, 512);
	assert_int_equal(offer.first_burst_length, 512);
	assert_int_equal(offer.max_burst_length, 512);
	assert_int_equal(transport_limit_transmit(&transport, 512), 512);
	assert_int_equal(transport_limit_transmit(&transport, 65537), 65536);
	assert_int_equal(transport_limit_transmit(transport_find("tcp"), 65537), 65537);
}

/* A socket's transport is loaded at the hand-over only: digests are offered before. */
static void digests(void **state)
{
	assert_true(
		transport_has_digests(transport_find("tcp"), TRANSPORT_CAPABILITY_HEADER_DIGEST));
	assert_false(
		transport_has_digests(transport_find("iser"), TRANSPORT_CAPABILITY_DATA_DIGEST));
}

static int note(void *userdata, const char *name)
{
	unsigned *seen = userdata;

	*seen |= strcmp(name, "tcp") == 0 ? 1 : strcmp(name, "strange") == 0 ? 2 : 4;
	return *seen == 7 ? -ENOMEM : 0;
}

static void list(void **state)
{
	struct sysfs sysfs;
	unsigned seen = 0;

	fake_begin();
	sysfs = (struct sysfs){ .root = fake_root };
	assert_int_equal(sysfs_transport_list(&sysfs, note, &seen), 0);
	assert_int_equal(seen, 0);
	fake_put("class/iscsi_transport/tcp/handle", "1");
	fake_put("class/iscsi_transport/strange/handle", "2");
	assert_int_equal(sysfs_transport_list(&sysfs, note, &seen), 0);
	assert_int_equal(seen, 3);
	fake_put("class/iscsi_transport/other/handle", "3");
	assert_int_equal(sysfs_transport_list(&sysfs, note, &seen), -ENOMEM);
	fake_end();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows),    cmocka_unit_test(offers), cmocka_unit_test(wishes),
		cmocka_unit_test(digests), cmocka_unit_test(list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
