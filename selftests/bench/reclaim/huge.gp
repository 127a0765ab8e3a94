# SPDX-License-Identifier: GPL-2.0-only
set title "What huge pages gain"
set xlabel "pages of an extent"
set ylabel "times the speed of small pages"
set logscale x 4
set yrange [0:*]
set key outside right
what = '"first touch" "purge by request" "purge by reclaim"'
plot for [k in kernels] for [c = 1:3] sprintf("%s/huge-%s.dat", dir, k) skip 1 \
	using 1:(strcol(2) eq "huge" ? column(c + 6) : NaN) with linespoints \
	title sprintf("%s, %s", k, word(what, c))
