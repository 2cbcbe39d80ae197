# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The same figures as JSON, every round: times in microseconds, memory (of the daemon) in KiB.
BEGIN {
	FS = "\t"
	names["peer"] = "open-iscsi"
	names["ois"] = "OIS"
	print "["
}

{
	printf "%s  {\"contestant\": \"%s\", \"figure\": \"%s\", \"n\": %d, \"value\": %d}", (NR > 1 ? ",\n" : ""),
		($1 in names ? names[$1] : $1), $2, $3, $4
}

END { print "\n]" }
