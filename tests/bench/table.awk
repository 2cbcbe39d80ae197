# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Figures (contestant, figure, n, value; one a line, separated by tabs) to the benchmark's table. Of several rounds the
# best time counts (the others were disturbed), and the most memory. Times are in microseconds there, in seconds here.
BEGIN { FS = "\t" }

{
	key = $1 SUBSEP $2 SUBSEP $3
	if (!(key in best) || (is_time($2) ? $4 < best[key] : $4 > best[key]))
		best[key] = $4
	if (!(($2, $3) in seen)) {
		seen[$2, $3] = 1
		if (!($2 in sizes))
			figures[++n_figures] = $2
		sizes[$2] = sizes[$2] " " $3
	}
}

function is_time(figure)
{
	return figure != "memory" && figure != "growth" && figure != "calls"
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
	names["memory"] = "resident memory, KiB"
	names["growth"] = "memory per session, bytes"
	names["calls"] = "system calls of one login"
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
