/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What it means that the kernel refuses a step of a session.
 */
#pragma once

#include "event.h"
#include "kernel.h"

#define REFUSAL_TEXT_MAX 256

/* Which event that is depends on why, else on what was asked. Fills in its status, and the same as
 * text. */
enum event_number refusal_number(const struct kernel_result *result);
struct event *refusal_event(const struct kernel_result *result, char ret_text[REFUSAL_TEXT_MAX]);
