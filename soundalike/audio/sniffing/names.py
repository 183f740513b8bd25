"""File name suffixes."""

from __future__ import annotations

#: Films, and containers for both films and sound.
FILM_SUFFIXES = frozenset(
    (
        *(".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3gpp", ".3g2", ".3gpp2", ".f4v", ".ismv", ".insv"),
        *(".mkv", ".mk3d", ".webm", ".avi", ".divx", ".amv", ".ogv", ".ogm", ".ogx", ".flv", ".nut"),
        *(".mpg", ".mpeg", ".mpe", ".m2p", ".vob", ".evo", ".tod", ".ts", ".m2ts", ".mts", ".m2t"),
        *(".tp", ".trp", ".asf", ".wmv", ".dvr-ms", ".wtv", ".rm", ".rmvb", ".mxf", ".gxf", ".dv"),
        *(".nsv", ".lrv"),
    )
)
#: Files in a folder with these suffixes count as sound, so that a broken one is reported instead of
#: skipped.
AUDIO_SUFFIXES = FILM_SUFFIXES | frozenset(
    (
        *(".wav", ".wave", ".bwf", ".rf64", ".bw64", ".w64", ".aif", ".aiff", ".aifc", ".afc", ".caf"),
        *(".au", ".snd", ".mp3", ".mp2", ".mp1", ".mpa", ".mp+", ".mpc", ".flac", ".ogg", ".oga"),
        *(".opus", ".spx", ".m4a", ".m4b", ".m4p", ".m4r", ".aac", ".adts", ".loas", ".latm", ".mka"),
        *(".weba", ".wma", ".ra", ".amr", ".awb", ".3ga", ".ac3", ".ec3", ".eac3", ".dts", ".dtshd"),
        *(".thd", ".truehd", ".mlp", ".wv", ".ape", ".tta", ".tak", ".shn", ".dsf", ".dff", ".gsm"),
        *(".voc", ".8svx", ".svx", ".avr", ".pvf", ".paf", ".sds", ".sox", ".sph", ".nist", ".ircam"),
        *(".qcp", ".oma", ".aa3", ".at3", ".vqf", ".aa", ".aax", ".qoa"),
    )
)
#: Suffixes that text files also use: programs, device descriptions, tables, word lists. Such a text file
#: is not a broken recording.
TEXT_SUFFIXES = frozenset((".ts", ".mts", ".dts", ".nut", ".tod", ".tp", ".voc", ".sds", ".rm", ".aa"))
#: Playlists and manifests.
PLAY_LIST_SUFFIXES = frozenset(
    (
        *(".m3u", ".m3u8", ".pls", ".cue", ".xspf", ".asx", ".wax", ".wvx", ".wpl", ".zpl", ".b4s"),
        *(".kpl", ".ram", ".smil", ".sdp", ".mpd", ".f4m", ".ism", ".strm", ".ffconcat", ".edl"),
    )
)
