# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Figures (contestant, figure, n, value; one a line, separated by tabs) to the benchmark's table. Of several rounds the
# best time counts (the others were disturbed), and the most memory. Times are in microseconds there, in seconds here.
BEGIN {
	FS = "\t"
	n = split("memory growth calls idle leak", list, " ")
	while (n > 0)
		counted[list[n--]] = 1
}

{
	key = $1 SUBSEP $2 SUBSEP $3
	if (!(key in best) || (is_time($2) ? $4 < best[key] : $4 > best[key]))
		best[key] = $4
	add_row($2, $3)
}

function add_row(figure, n)
{
	if ((figure, n) in seen)
		return
	seen[figure, n] = 1
	if (!(figure in sizes))
		figures[++n_figures] = figure
	sizes[figure] = sizes[figure] " " n
}

# What each session beyond the smallest number of them adds to the daemon.
function add_growth(    size, n, j, i, who, whos, first)
{
	n = split(sizes["memory"], size, " ")
	split("ois peer", whos, " ")
	for (i = 1; i <= 2; i++)
		for (j = 2; j <= n; j++) {
			who = whos[i]
			if (!((who, "memory", size[j]) in best))
				continue
			best[who, "growth", size[j]] = (best[who, "memory", size[j]] - best[who, "memory", size[1]]) * \
				1024 / (size[j] - size[1])
			add_row("growth", size[j])
		}
}

function is_time(figure)
{
	return !(figure in counted)
}

function show(who, figure, n,    key)
{
	key = who SUBSEP figure SUBSEP n
	if (!(key in best))
		return "-"
	return is_time(figure) ? sprintf("%.4f", best[key] / 1e6) : sprintf("%d", best[key])
}

function ratio(a, b, figure, n,    x, y)
{
	x = a SUBSEP figure SUBSEP n
	y = b SUBSEP figure SUBSEP n
	return x in best && y in best && best[y] > 0 ? sprintf("%.1f", best[x] / best[y]) : "-"
}

END {
	add_growth()
	names["memory"] = "resident memory, KiB"
	names["growth"] = "memory per session, bytes"
	names["calls"] = "system calls of one login"
	names["idle"] = "idle: wake-ups in 10 s"
	names["leak"] = "memory more, KiB"
	names["cut"] = "cut, all disks"
	names["turn"] = "longest turn of the loop"
	format = "%-28s %5s %10s %10s %11s %10s %17s\n"
	printf format, "figure (s)", "N", "floor", "OIS", "open-iscsi", "OIS:floor", "open-iscsi:OIS"
	for (i = 1; i <= n_figures; i++) {
		figure = figures[i]
		label = figure in names ? names[figure] : figure
		floor = figure == "empty command" ? "any" : "floor"
		n_sizes = split(sizes[figure], size, " ")
		for (j = 1; j <= n_sizes; j++)
			printf format, label, size[j], show(floor, figure, size[j]), show("ois", figure, size[j]),
				show("peer", figure, size[j]), ratio("ois", floor, figure, size[j]),
				ratio("peer", "ois", figure, size[j])
	}
}
