"""Constants of the VGGish front end and network.

Source: tensorflow/models, research/audioset/vggish/vggish_params.py, as of commit 09093db.
"""

SAMPLE_RATE_HZ = 16_000
#: 25 ms analysis window, 10 ms hop, in samples at 16 kHz.
FRAME_SAMPLES = 400
HOP_SAMPLES = 160
#: Smallest power of two that holds a frame.
FFT_SAMPLES = 512
N_MEL_BANDS = 64
MEL_MIN_HZ = 125.0
MEL_MAX_HZ = 7500.0
#: Added to the mel magnitudes before the logarithm, so that silence is ln 0.01.
LOG_OFFSET = 0.01
#: HTK's mel scale: ``mel = 1127 ln(1 + f / 700)``.
MEL_BREAK_HZ = 700.0
MEL_HIGH_Q = 1127.0

#: One input of the network: 96 frames, which span 15 600 samples (0.975 s).
PATCH_FRAMES = 96
PATCH_SAMPLES = FRAME_SAMPLES + (PATCH_FRAMES - 1) * HOP_SAMPLES
EMBEDDING_DIM = 128

#: Distance between patches in the published pipeline.
EXAMPLE_HOP_S = 0.96
