# The web service on a CPU:
#     docker build -t fashion_mmdet . && docker run --rm -p 8080:8080 fashion_mmdet
# Another model: -v $PWD/work_dirs/RUN:/model:ro ... fashion_mmdet --model /model. Keys: -e FASHION_API_KEYS=...
FROM python:3.11-slim AS build
WORKDIR /src
RUN python -m venv /venv
ENV PATH=/venv/bin:$PATH
# The versions that are tested; torch's builds for CPUs are a tenth of the size of those for GPUs.
COPY requirements.txt .
RUN grep -E '^(torch|torchvision)==' requirements.txt | sed 's/ *;.*//' > torch.txt \
    && pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu -r torch.txt
COPY pyproject.toml README.md LICENSE ./
COPY fashion_mmdet fashion_mmdet
COPY tools tools
RUN pip install --no-cache-dir -c requirements.txt '.[serve]' \
    && grep '^opencv-python-headless' requirements.txt > opencv.txt \
    && pip uninstall -y opencv-python \
    && pip install --no-cache-dir --force-reinstall --no-deps -r opencv.txt \
    && NUMBA_CACHE_DIR=/venv/numba python -c 'import fashion_mmdet'

FROM python:3.11-slim
RUN useradd --create-home --uid 1000 service
COPY --from=build /venv /venv
COPY --from=build /src/tools /app/tools
WORKDIR /app
# Two arenas: glibc would keep one a thread, each with what its largest photo took.
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 MALLOC_ARENA_MAX=2 NUMBA_CACHE_DIR=/tmp/numba
USER service
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
ENTRYPOINT ["python", "tools/serve.py", "--host", "0.0.0.0"]
