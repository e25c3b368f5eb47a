module telehealth/tests/bench/relay/pion

go 1.19
