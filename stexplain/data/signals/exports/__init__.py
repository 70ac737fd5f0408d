"""Series as authorities and spreadsheets export them: station files of PeMS, tables with two rows of names."""
