/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Node records as org.ois.node tells them.
 */
#pragma once

#include "method_common.h"

/* A Key; NULL: no memory, here and below. */
json_object *node_key_to_json(const struct node *node);
/* A Record, as the member "record" of an object. */
json_object *record_to_json(struct manager *manager, const struct node *node, bool effective);
