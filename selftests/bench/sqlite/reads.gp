# SPDX-License-Identifier: GPL-2.0-only
# Reads a second, and the limit. Given: dir, kernel, names
set title 'SQLCipher, point reads under a limit that shrinks and grows'
set xlabel 'seconds'
set ylabel 'reads a second'
set y2label 'limit, MiB'
set ytics nomirror
set y2tics
set yrange [0:*]
set y2range [0:*]
set key outside bottom center horizontal
plot for [name in names] sprintf('%s/reads-%s-%s.dat', dir, name, kernel) \
		using 3:5 with lines linewidth 2 title name, \
	sprintf('%s/reads-%s-%s.dat', dir, word(names, 1), kernel) \
		using 3:4 axes x1y2 with steps title 'limit'
