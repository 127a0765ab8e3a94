# SPDX-License-Identifier: GPL-2.0-only
file = sprintf("%s/throughput-%s.dat", dir, kernels)
set title sprintf("Memory given back, Linux %s", kernels)
set xlabel "pages of an extent"
set ylabel "pages per ms"
set logscale x 4
set yrange [0:*]
set key outside right
plot for [how in "mapped unmapped"] for [c = 3:5] file skip 1 \
	using 1:(strcol(2) eq how ? column(c) : NaN) with linespoints \
	title sprintf("%s, %s", word("- - request reclaim memfd", c), how)
