# SPDX-License-Identifier: GPL-2.0-only
set title "Pages purged under pressure (median) and pages needed"
set ylabel "pages"
set yrange [0:*]
set style data histograms
set style fill solid 0.6
set key outside right
plot for [k in kernels] sprintf("%s/oom-%s.dat", dir, k) skip 1 \
	using 5:xticlabels(1) title sprintf("purged, %s", k), \
	sprintf("%s/oom-%s.dat", dir, word(kernels, 1)) skip 1 \
	using 7 title sprintf("needed, %s", word(kernels, 1))
