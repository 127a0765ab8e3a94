# SPDX-License-Identifier: GPL-2.0-only
set title "Hit rates of the module and of simulated policies with as much memory"
set ylabel "%"
set yrange [0:100]
set style data histogram
set style histogram clustered gap 1
set style fill solid 0.6
set xtics rotate by -30
set key top right
first = sprintf("%s/hits-%s.dat", dir, word(kernels, 1))
plot first skip 1 using 4:xticlabels(1) title "LRU", \
	first skip 1 using 5 title "S3-FIFO", \
	for [k in kernels] sprintf("%s/hits-%s.dat", dir, k) skip 1 \
	using 8 title "module, ".k
