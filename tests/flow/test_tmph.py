import pytest, signal, subprocess
from pathlib import Path
CASES=["nothing","surrogate"]
@pytest.mark.parametrize("case", CASES)
def test_hang(case, start_launcher, service_environ, toy_data, database_server, service_database):
    s = start_launcher(service_environ)
    p = str(toy_data/"siren/siren_1.mp3")
    s.post("/index", {"uri": p})
    if case=="surrogate":
        r=s.request("/search", b'{"data": [{"uri": "\\ud800"}]}'); print(r.status, r.text)
    if case=="dropdb":
        name=service_database.split("?")[0].rpartition("/")[2]
        from urllib.parse import urlsplit
        name=urlsplit(service_database).path[1:]
        database_server.sql(f"DROP DATABASE {name} WITH (FORCE)")
        r=s.post("/search", {"uri":p}); print(r.status)
        database_server.sql(f"CREATE DATABASE {name}")
    if case=="nul":
        print(s.post("/index", {"uri": p, "label":"a\0b"}).status)
    if case=="concurrent":
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor(8) as pool: list(pool.map(lambda n: s.post("/search", {"uri":p}), range(24)))
    import time; t=time.time()
    s.program.process.send_signal(signal.SIGTERM)
    try:
        rc=s.program.process.wait(90)
    except subprocess.TimeoutExpired: rc="STUCK"; s.program.kill()
    print("RESULT", case, rc, round(time.time()-t,1)); print(s.program.said[-1500:])
