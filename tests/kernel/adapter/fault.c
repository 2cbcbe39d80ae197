// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults to order: a name, a value, and how often. They wait in a table of the port until their
 * moment comes.
 */
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include "adapter.h"

static const char *const names[N_FAULTS] = {
	[FAULT_CONNECT_ERROR] = "connect-error",
	[FAULT_CONNECT_DELAY] = "connect-delay",
	[FAULT_CONNECT_NEVER] = "connect-never",
	[FAULT_POLL_ERROR] = "poll-error",
	[FAULT_BIND_ERROR] = "bind-error",
	[FAULT_START_ERROR] = "start-error",
	[FAULT_CUT_AT_BIND] = "cut-at-bind",
	[FAULT_CUT_AFTER] = "cut-after",
	[FAULT_DISCONNECT_DELAY] = "disconnect-delay",
	[FAULT_PATH_IGNORED] = "path-ignored",
	[FAULT_PING_STATUS] = "ping-status",
	[FAULT_LOGIN_ERROR] = "login-error",
	[FAULT_LOGIN_DELAY] = "login-delay",
	[FAULT_CONNECTION_KEPT] = "connection-kept",
	[FAULT_NETWORK_ERROR] = "network-error",
	[FAULT_MESSAGE_AT_START] = "message-at-start",
};

/* Whether it is to happen now; then it has happened once more. */
bool ta_fault(struct port *port, enum fault fault, unsigned int *ret_value)
{
	struct order *order = &port->orders[fault];
	bool armed;

	spin_lock_bh(&port->order_lock);
	armed = order->armed;
	if (armed) {
		*ret_value = order->value;
		if (order->times && !--order->times)
			order->armed = false;
	}
	spin_unlock_bh(&port->order_lock);
	return armed;
}

/* The same for one whose value tells at which of several moments. */
bool ta_fault_at(struct port *port, enum fault fault, unsigned int moment)
{
	unsigned int value;

	return READ_ONCE(port->orders[fault].value) == moment && ta_fault(port, fault, &value);
}

ssize_t ta_show_faults(struct port *port, char *buffer)
{
	ssize_t length = 0;
	unsigned int i;

	spin_lock_bh(&port->order_lock);
	for (i = 0; i < N_FAULTS; i++)
		if (port->orders[i].armed)
			length += sysfs_emit_at(buffer, length, "%s %u %u\n", names[i],
						port->orders[i].value, port->orders[i].times);
	spin_unlock_bh(&port->order_lock);
	return length;
}

/* "NAME [VALUE [TIMES]]", or "clear". */
int ta_order_fault(struct port *port, const char *text)
{
	struct order order = { .armed = true };
	char name[32];
	int i;

	if (sscanf(text, "%31s %u %u", name, &order.value, &order.times) < 1)
		return -EINVAL;
	i = match_string(names, N_FAULTS, name);
	if (i < 0 && strcmp(name, "clear"))
		return -EINVAL;
	spin_lock_bh(&port->order_lock);
	if (i < 0)
		memset(port->orders, 0, sizeof(port->orders));
	else
		port->orders[i] = order;
	spin_unlock_bh(&port->order_lock);
	return 0;
}
