# The worker and the webhook in one image: `worker` (the default) or `webhook` as the command.
# Debian and not Alpine: Temporal's native core needs glibc.
ARG NODE=22.20.0-bookworm-slim

FROM node:${NODE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY scripts scripts
COPY src src
RUN npm run build && npm prune --omit=dev

FROM node:${NODE}
# Temporal's native core reads the system's certificates, also where TLS is not used.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
WORKDIR /app
ENV NODE_ENV=production
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
USER node
ENTRYPOINT ["node", "dist/cli/bin.js"]
CMD ["worker"]
