"""Between Freqtrade and the venue: sure and sparing requests, sound replies, account watched."""
