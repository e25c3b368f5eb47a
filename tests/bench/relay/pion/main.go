// A minimal selective forwarding unit on Pion, after Pion's example sfu-ws: it forwards what arrives and passes
// keyframe requests back. Commands are lines of JSON: {"room", "seat", "people", "sdp"} is answered by {"sdp"}.
// With "-interceptors" each connection has Pion's default ones (NACK both ways, receiver and sender reports).
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strconv"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v3"
)

type command struct {
	Room, SDP    string
	Seat, People int
}

// What one of a room's people sends, as the others get it; the connection is there once they have joined.
type seat struct {
	audio, video *webrtc.TrackLocalStaticRTP
	connection   *webrtc.PeerConnection
	camera       *webrtc.TrackRemote
}

var rooms = map[string][]*seat{}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func newAPI() *webrtc.API {
	media := &webrtc.MediaEngine{}
	check(media.RegisterDefaultCodecs())
	settings := webrtc.SettingEngine{}
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	options := []func(*webrtc.API){webrtc.WithMediaEngine(media), webrtc.WithSettingEngine(settings)}
	if len(os.Args) > 1 && os.Args[1] == "-interceptors" {
		registry := &interceptor.Registry{}
		check(webrtc.RegisterDefaultInterceptors(media, registry))
		options = append(options, webrtc.WithInterceptorRegistry(registry))
	}
	return webrtc.NewAPI(options...)
}

func room(name string, people int) []*seat {
	if rooms[name] == nil {
		for i := 0; i < people; i++ {
			audio, err := webrtc.NewTrackLocalStaticRTP(
				webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "audio", strconv.Itoa(i))
			check(err)
			video, err := webrtc.NewTrackLocalStaticRTP(
				webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8}, "video", strconv.Itoa(i))
			check(err)
			rooms[name] = append(rooms[name], &seat{audio: audio, video: video})
		}
	}
	return rooms[name]
}

func (publisher *seat) askKeyframe() {
	if publisher.camera != nil {
		request := &rtcp.PictureLossIndication{MediaSSRC: uint32(publisher.camera.SSRC())}
		_ = publisher.connection.WriteRTCP([]rtcp.Packet{request})
	}
}

// Adds a track to a connection and passes the receiver's keyframe requests to its publisher.
func (publisher *seat) showIn(connection *webrtc.PeerConnection, track *webrtc.TrackLocalStaticRTP) {
	transceiver, err := connection.AddTransceiverFromTrack(
		track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	check(err)
	go func() {
		for {
			packets, _, err := transceiver.Sender().ReadRTCP()
			if err != nil {
				return
			}
			for _, packet := range packets {
				if _, ok := packet.(*rtcp.PictureLossIndication); ok {
					publisher.askKeyframe()
				}
			}
		}
	}()
}

func (publisher *seat) forward(remote *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
	local := publisher.audio
	if remote.Kind() == webrtc.RTPCodecTypeVideo {
		local = publisher.video
		publisher.camera = remote
		publisher.askKeyframe()
	}
	packet := make([]byte, 1500)
	for {
		size, _, err := remote.Read(packet)
		if err != nil {
			return
		}
		_, _ = local.Write(packet[:size])
	}
}

func join(api *webrtc.API, given command) string {
	seats := room(given.Room, given.People)
	own := seats[given.Seat]
	connection, err := api.NewPeerConnection(webrtc.Configuration{})
	check(err)
	own.connection = connection
	for _, other := range seats {
		if other != own {
			other.showIn(connection, other.audio)
			other.showIn(connection, other.video)
		}
	}
	connection.OnTrack(own.forward)
	check(connection.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: given.SDP}))
	answer, err := connection.CreateAnswer(nil)
	check(err)
	gathered := webrtc.GatheringCompletePromise(connection)
	check(connection.SetLocalDescription(answer))
	<-gathered
	return connection.LocalDescription().SDP
}

func main() {
	api := newAPI()
	fmt.Println("{}")
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var given command
		check(json.Unmarshal(lines.Bytes(), &given))
		answer, err := json.Marshal(map[string]string{"sdp": join(api, given)})
		check(err)
		fmt.Println(string(answer))
	}
}
