"""All that the kit does on a GPU, on one: nothing of it needs a network.

    make test-gpu                                       in 8 minutes at most
    make test-gpu ARGS="-m 'gpu and slow'"              what defaults were chosen by
    PHI_KIT_GPU_REHEARSAL=1 make test-gpu               without a card: walks the paths

What has not begun after 460 seconds is skipped, and says so. Figures go to
benchmarks.json; with PHI_KIT_GPU_OUT to the file of that name in the folder it names.
"""
