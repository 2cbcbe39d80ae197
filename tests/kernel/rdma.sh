# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# RDMA without an adapter: the kernel's own over a pair of network devices. tests/kernel/lib.sh comes first.

# Both ends share one RDMA device, and the portal has one address of it.
rdma_portal=192.0.2.1:3260
rdma_source=192.0.2.2

start_rdma()
{
	local address
	ip link add rdma0 type veth peer name rdma1
	for address in "${rdma_portal%:*}" "$rdma_source"; do
		ip address add "$address/24" dev rdma0
	done
	ip link set rdma0 up
	ip link set rdma1 up
	rdma link add rxe0 type rxe netdev rdma0
}

# accept_rdma TARGET...: their portals take RDMA connections, too.
accept_rdma()
{
	local target
	for target; do
		echo 1 >"/sys/kernel/config/target/iscsi/$target/tpgt_1/np/$rdma_portal/iser"
	done
}
