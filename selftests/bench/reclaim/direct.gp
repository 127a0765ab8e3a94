# SPDX-License-Identifier: GPL-2.0-only
set title "Pages freed for each page asked for, under direct reclaim"
set xlabel "processes (and CPUs)"
set ylabel "freed / asked"
set xrange [-0.5:*]
set offsets 0, 0.5, 0.1, 0
set yrange [0:*]
set key bottom right
plot for [k in kernels] sprintf("%s/direct-%s.dat", dir, k) skip 1 \
	using 0:6:xticlabels(1) with linespoints title k
