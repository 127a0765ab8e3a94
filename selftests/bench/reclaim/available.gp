# SPDX-License-Identifier: GPL-2.0-only
set title sprintf("A region of 200 MB in /proc/meminfo, Linux %s", kernels)
set ylabel "MiB"
set yrange [0:*]
set style data histograms
set style fill solid 0.6
set key outside right
plot for [c = 2:5] sprintf("%s/available-%s.dat", dir, kernels) skip 1 \
	using c:xticlabels(1) title word("- MemFree MemAvailable Shmem Cached", c)
