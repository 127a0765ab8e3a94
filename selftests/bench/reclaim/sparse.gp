# SPDX-License-Identifier: GPL-2.0-only
set title "Longest scan of a region of 16M pages"
set ylabel "ms"
set yrange [0:*]
set style data histograms
set style fill solid 0.6
plot for [k in kernels] sprintf("%s/sparse-%s.dat", dir, k) skip 1 \
	using 10:xticlabels(1) title k
